package planner

import (
	"math/rand/v2"
	"time"
)

const (
	// firstPatience is about how long an instance lets others go first, unless it has
	// learned better: longer than it takes to fire something.
	firstPatience = 100 * time.Millisecond
	// lastPatience is where that ends, however slowly the others fire; and how late
	// something may be when they die.
	lastPatience = 5 * time.Second
	// enoughWins is how many entries in a row must be there after waiting, for an
	// instance to believe that it is alone.
	enoughWins = 3
)

// manners decide how long an instance leaves an entry that is due to the others. It
// begins polite: alone it learns soon that nobody else is there, and where others are at
// work it does not disturb.
type manners struct {
	patience time.Duration // 0 if it does not wait
	wins     int
	hold     time.Time // nothing is begun before
}

func newManners() manners { return manners{patience: around(firstPatience)} }

// polite reports whether it leaves entries to others.
func (m *manners) polite() bool { return m.patience > 0 }

// won notes that an entry was fired here and nowhere else.
func (m *manners) won() {
	if m.wins++; m.wins >= enoughWins {
		m.patience = 0
	}
}

// gone notes that an entry was not there any more: if it waited, that was right.
func (m *manners) gone() { m.wins = 0 }

// lost notes that somebody else fired an entry in the same moment. It steps back: at once,
// because where there is a backlog waiting for each entry would not keep them apart, and
// for longer than before, because the other may be slow.
func (m *manners) lost(now time.Time) {
	m.wins = 0
	m.patience = min(around(max(firstPatience, 2*m.patience)), lastPatience)
	m.hold = now.Add(m.patience)
}

// around returns a random time about d, so that two instances differ.
func around(d time.Duration) time.Duration { return d/2 + rand.N(d) }
