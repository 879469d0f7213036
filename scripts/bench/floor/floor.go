package floor

import "time"

// Work is what is written: the same frames at the same pace as the server that is
// measured against it. A machine that rests between rounds has colder caches and
// other wake-ups than one that writes flat out.
type Work struct {
	// Frame is the length of one frame in bytes, Batch how many are joined in one write.
	Frame, Batch int
	// Every is the time between rounds, each of which writes to all sockets; 0 writes
	// as fast as it goes.
	Every time.Duration
	// Rounds is how many there are, at least 1.
	Rounds int
}

// Cost is what was measured.
type Cost struct {
	// Frames is how many were written, CPU the writing thread's time for all of them.
	Frames int
	CPU    time.Duration
}

// PerFrame is the CPU time of one frame; 0 when nothing was written.
func (c Cost) PerFrame() time.Duration {
	if c.Frames == 0 {
		return 0
	}
	return c.CPU / time.Duration(c.Frames)
}

// Add is the sum of two measurements of the same work.
func (c Cost) Add(o Cost) Cost { return Cost{Frames: c.Frames + o.Frames, CPU: c.CPU + o.CPU} }
