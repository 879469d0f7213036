package ledger

import "time"

// Hasten lets requests that failed come again at once.
func (l *Ledger) Hasten() { l.again = func(uint64) time.Duration { return time.Millisecond } }

// What the tests of the pure parts see.
var (
	Again  = again
	Decode = decode
)
