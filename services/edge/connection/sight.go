package connection

import (
	"sync"
	"time"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// Progress says how a connection gets on.
type Progress string

// The kinds of progress.
const (
	// Live connections have everything there is for them.
	Live Progress = "live"
	// CatchingUp connections are handed what they have missed.
	CatchingUp Progress = "catching-up"
	// Stalled connections take nothing.
	Stalled Progress = "stalled"
)

// StalledAfter is how long a connection takes nothing until it is called stalled. A
// socket is full for a moment now and then.
const StalledAfter = time.Second

// Sight is a connection as its owner shows it to an operator.
type Sight struct {
	// Conn may be asked for what never changes: name, user, address, since when, form.
	Conn *Conn
	// Member reaches the connection's owner, also later.
	Member Member
	// Sink names the transport's side: "raw" or "ordinary".
	Sink string
	// Progress, Cursor and Patterns are how it gets on at what position with which
	// topics.
	Progress Progress
	Cursor   event.Cursor
	Patterns []subject.Pattern
	// Token is the TokenHash of its token's id.
	Token uint64
}

// Showing is one Look by several owners: it lets one of them speak at a time, and
// none when it is over. The zero Showing is over.
type Showing struct {
	mu sync.Mutex
	fn func(*Sight)
}

// NewShowing returns a showing to fn.
func NewShowing(fn func(*Sight)) *Showing { return &Showing{fn: fn} }

// Take lets an owner show some of its connections. It returns false without a call
// if the showing is over.
func (s *Showing) Take(show func(fn func(*Sight))) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fn == nil {
		return false
	}
	show(s.fn)
	return true
}

// End ends the showing; nobody shows anything once End has returned.
func (s *Showing) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fn = nil
}
