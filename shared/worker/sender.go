package worker

import (
	"context"
	"time"
)

// Sender sends a job over a channel, once. It is all that a channel writes.
//
// A nil error means that the provider has it. Otherwise Outcome says whether to try
// again; the zero Outcome does. The context ends when the attempt has taken too long,
// the job expired, or the worker is stopping: a Sender returns then. A Sender that
// panics counts as one that returned Unsure.
type Sender interface {
	// Send sends once. See Sender for what it answers.
	Send(ctx context.Context, a Attempt) (Outcome, error)
}

// SenderFunc is a function that is a Sender.
type SenderFunc func(ctx context.Context, a Attempt) (Outcome, error)

// Send implements Sender.
func (f SenderFunc) Send(ctx context.Context, a Attempt) (Outcome, error) { return f(ctx, a) }

// Attempt is what a Sender is asked to do. Job.Key is the same in all attempts: tell it
// to a provider that takes a key.
type Attempt struct {
	Job Job
	// Number counts the attempts from 1.
	Number int
	// Unsure says that an earlier attempt may have got through: do not turn to another
	// provider, which could not know.
	Unsure bool
}

// Outcome is what a Sender says about an attempt. Make one that goes with an error with
// Again, AgainAfter, Hold, Never or Unsure; the zero Outcome is Again.
type Outcome struct {
	// Detail is what the provider said, such as its id of the message. It is shown to
	// operators and must not hold secrets.
	Detail string

	kind  outcomeKind
	after time.Duration
}

// outcomeKind is what becomes of a job after an attempt that failed.
type outcomeKind int

const (
	again outcomeKind = iota
	held
	never
	unsure
)

// Again says: not sent, try again later.
func Again() Outcome { return Outcome{} }

// AgainAfter says: not sent, and the provider asks for a pause. It is kept to, up to
// backoff.MaxAfter.
func AgainAfter(d time.Duration) Outcome { return Outcome{after: d} }

// Hold says: nobody was asked to send it, because its turn has not come, and will in d at
// the earliest. That is no attempt: none is counted, and a job may be held until it expires.
func Hold(d time.Duration) Outcome { return Outcome{kind: held, after: d} }

// Never says: not sent, and no attempt ever will be. The job becomes a dead letter.
func Never() Outcome { return Outcome{kind: never} }

// Unsure says: it may have been sent, as when a connection is lost before the answer.
// It is tried again, unless Job.Once forbids it.
func Unsure() Outcome { return Outcome{kind: unsure} }
