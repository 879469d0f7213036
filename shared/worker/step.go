package worker

import "time"

// action is what a worker does with a job that it was given.
type action int

const (
	begin   action = iota // try it
	settle                // it is done: acknowledge it
	discard               // it is a letter: remove it
	expire                // it is not worth trying
	bury                  // make it a letter
	wait                  // its time has not come
)

// step is an action and what goes with it.
type step struct {
	do      action
	attempt int           // begin: its number; bury, expire: how many there were
	unsure  bool          // an attempt may have got through
	pause   time.Duration // wait
	reason  Reason        // bury
	err     string        // bury, expire: why the last attempt failed, as far as known
}

// next decides what to do with a job whose last receipt is r; the zero Receipt means
// that there is none. It is all there is to know: deliveries are not counted.
func next(r Receipt, j Job, now time.Time, maxAttempts int) step {
	s := step{attempt: r.Attempt, unsure: r.Unsure, err: r.Error}
	switch r.State {
	case Sent, Expired:
		return step{do: settle}
	case Dead:
		return step{do: discard}
	case Sending:
		// Whoever was trying is gone, and did not say how it went.
		s.unsure, s.err = true, "the worker was lost while it was sending"
		if j.Once {
			s.do, s.reason = bury, ReasonUnsure
			return s
		}
	case Retry, Queued:
	}
	switch {
	case j.expired(now):
		s.do = expire
	case r.State == Retry && now.Before(r.Next):
		s.do, s.pause = wait, r.Next.Sub(now)
	case r.Attempt >= maxAttempts:
		s.do, s.reason = bury, ReasonAttempts
	default:
		s.do, s.attempt = begin, r.Attempt+1
	}
	return s
}

// after decides what to do with a job once an attempt failed. pause is the time to the
// next one.
func after(a Attempt, o Outcome, pause time.Duration, now time.Time, maxAttempts int) step {
	s := step{attempt: a.Number, unsure: a.Unsure || o.kind == unsure, pause: pause}
	switch {
	case o.kind == never:
		s.do, s.reason = bury, ReasonPermanent
	case o.kind == unsure && a.Job.Once:
		s.do, s.reason = bury, ReasonUnsure
	case a.Job.expired(now), a.Job.expired(now.Add(pause)):
		// It would be by then: who waits for it may as well know now.
		s.do = expire
	case a.Number >= maxAttempts:
		s.do, s.reason = bury, ReasonAttempts
	default:
		s.do = wait
	}
	return s
}
