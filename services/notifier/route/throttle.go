package route

import "time"

const (
	// maxCount bounds Count.
	maxCount = 10_000
	// maxPer bounds PerSeconds: a month. A longer memory would outlive its storage.
	maxPer = 31 * 24 * time.Hour
)

// Limit lets so many pass at once and as many again in each period, evenly.
type Limit struct {
	// Count is how many.
	Count int `json:"count"`
	// PerSeconds is the period.
	PerSeconds int `json:"per_s"`
}

func (l Limit) per() time.Duration { return time.Duration(l.PerSeconds) * time.Second }

// Take asks for one delivery at now. debt is the state: the time at which all that
// passed is paid off, zero at first. It returns the next state, to be stored
// whether the delivery may pass or not. This is a token bucket told by one time (GCRA), so it
// needs no clock to refill it. A limit that is not sound lets everything pass.
func (l Limit) Take(debt, now time.Time) (next time.Time, ok bool) {
	if l.Count < 1 || l.PerSeconds < 1 {
		return debt, true
	}
	price := l.per() / time.Duration(l.Count)
	owed := max(debt.Sub(now), 0)
	// More than a full bucket can be owed only if the clock was set back or the limit
	// was changed; nobody shall wait for that.
	owed = min(owed, price*time.Duration(l.Count))
	if owed > price*time.Duration(l.Count-1) {
		return now.Add(owed), false
	}
	return now.Add(owed + price), true
}
