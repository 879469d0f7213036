package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/natsx/direct"
)

const (
	// MaxLetters is the most letters of one page.
	MaxLetters = 100
	// restoreTries and restorePause are how often, and after which pause, it is looked
	// whether a job that died is out of the queue. That takes milliseconds, as a rule.
	restoreTries, restorePause = 20, 50 * time.Millisecond
)

// Errors about letters. Others are those of natsx.
var (
	// ErrNoLetter says that there is no such letter, or not any more.
	ErrNoLetter = errors.New("there is no such dead letter")
	// ErrNotJob says that the letter holds no job that could be tried again.
	ErrNotJob = errors.New("the dead letter holds no job; all that can be done is to drop it")
	// ErrBusy says that somebody is at work on the letter's job. Try again a little later.
	ErrBusy = errors.New("the job of the dead letter is busy")
	// ErrExpired says that the letter's job is not worth sending any more.
	ErrExpired = errors.New("the job of the dead letter has expired")
)

// Reason is why a job was given up.
type Reason string

// The reasons.
const (
	ReasonAttempts  Reason = "attempts"  // it has had all its attempts
	ReasonPermanent Reason = "permanent" // the Sender said Never
	ReasonUnsure    Reason = "unsure"    // it may have got through, and its Job.Once is set
	ReasonMalformed Reason = "malformed" // it is no job
)

// Letter is a job that was given up.
type Letter struct {
	// Seq names the letter. It is set when it was read.
	Seq uint64 `json:"seq,omitempty"`
	// Key and Channel are those of the job.
	Key     string `json:"key"`
	Channel string `json:"channel"`
	// Reason is why it was given up, Died when, and Attempts after how many attempts.
	Reason   Reason    `json:"reason"`
	Died     time.Time `json:"died"`
	Attempts int       `json:"attempts"`
	// Error is why the last attempt failed, or what is wrong with the message.
	Error string `json:"error,omitempty"`
	// Unsure says that an attempt may have got through unnoticed.
	Unsure bool `json:"unsure,omitempty"`
	// Job is the job, nil if Reason is ReasonMalformed; Raw is the message then.
	Job *Job   `json:"job,omitempty"`
	Raw []byte `json:"raw,omitempty"`
}

// Filter selects letters. Its zero value selects all.
type Filter struct {
	// Channel, Notification and Reason are what the letters have; empty means any.
	Channel, Notification string
	Reason                Reason
}

func (f Filter) matches(l Letter) bool {
	return (f.Channel == "" || f.Channel == l.Channel) && (f.Reason == "" || f.Reason == l.Reason) &&
		(f.Notification == "" || l.Job != nil && f.Notification == l.Job.Notification)
}

// Letters is a page of letters.
type Letters struct {
	// Letters are in the order they were written.
	Letters []Letter
	// Next is what to list after for the next page, if there is More. A page may hold
	// no letter and still have more behind it.
	Next uint64
	More bool
}

// bury stores a letter and returns its sequence after the store's acknowledgement.
func (q *Queue) bury(ctx context.Context, l Letter, id string) (uint64, error) {
	l.Error = cut(l.Error)
	data, err := natsx.Encode(l)
	if err != nil {
		return 0, fmt.Errorf("encode a letter: %w", err)
	}
	ack, err := q.publish(ctx, &nats.Msg{Subject: q.space.Dead(l.Channel, l.Key), Data: data}, jetstream.WithMsgID(id))
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// List returns a page of the letters after a sequence, 0 for the first page. It reads at
// most limit letters, and no more than MaxLetters, of which those the filter selects
// are returned.
func (q *Queue) List(ctx context.Context, f Filter, after uint64, limit int) (Letters, error) {
	if limit <= 0 || limit > MaxLetters {
		limit = MaxLetters
	}
	channel := "*"
	if isToken(f.Channel) {
		channel = f.Channel
	}
	p, err := direct.Page(ctx, q.conn, q.dead, q.space.Dead(channel, "*"), after+1, limit)
	if err != nil {
		return Letters{}, err
	}
	list := Letters{Next: p.Next - 1, More: p.More}
	for _, m := range p.List {
		if l, err := readLetter(m); err == nil && f.matches(l) {
			list.Letters = append(list.Letters, l)
		}
	}
	return list, nil
}

// Show returns a letter. Errors wrap ErrNoLetter or those of natsx.
func (q *Queue) Show(ctx context.Context, seq uint64) (Letter, error) {
	if seq == 0 {
		return Letter{}, ErrNoLetter
	}
	m, err := direct.At(ctx, q.conn, q.dead, seq)
	if err != nil {
		return Letter{}, err
	}
	if m == nil {
		return Letter{}, fmt.Errorf("%w: %d", ErrNoLetter, seq)
	}
	return readLetter(m)
}

func readLetter(m *nats.Msg) (Letter, error) {
	var l Letter
	seq := direct.Sequence(m)
	if err := json.Unmarshal(m.Data, &l); err != nil {
		return Letter{}, fmt.Errorf("letter %d: %w", seq, err)
	}
	l.Seq = seq
	return l, nil
}

// Redrive has a letter's job tried again, with all its attempts, and removes the letter
// once the job is stored. Interrupted it may be called again: a job that is under way,
// or was sent, since is not queued twice. Errors wrap ErrNoLetter, ErrNotJob,
// ErrExpired, ErrBusy or those of natsx.
func (q *Queue) Redrive(ctx context.Context, seq uint64) error {
	l, err := q.Show(ctx, seq)
	if err != nil {
		return err
	}
	return q.redrive(ctx, l)
}

func (q *Queue) redrive(ctx context.Context, l Letter) error {
	switch {
	case l.Job == nil || l.Job.Check() != nil:
		return fmt.Errorf("%w: %d", ErrNotJob, l.Seq)
	case l.Job.expired(time.Now()):
		return fmt.Errorf("%w: %d", ErrExpired, l.Seq)
	}
	last, err := q.last(ctx, *l.Job)
	if err != nil {
		return err
	}
	switch {
	case last.State == Dead || last.seq == 0: // or its receipts are gone
		r := receiptOf(*l.Job, Queued)
		r.Letter, r.Unsure = l.Seq, l.Unsure
		if _, err = q.append(ctx, r, last.seq); errors.Is(err, errConflict) {
			return fmt.Errorf("%w: somebody else redrives %d", ErrBusy, l.Seq)
		}
		if err != nil {
			return err
		}
	case last.State == Queued: // storing the job may have been interrupted
	default:
		return q.remove(ctx, l.Seq) // the job is back already
	}
	if err := q.restore(ctx, l); err != nil {
		return err
	}
	return q.remove(ctx, l.Seq)
}

// restore puts a letter's job back into the queue. The message that died may still be
// there, and what is put in before it is removed would be lost with it.
func (q *Queue) restore(ctx context.Context, l Letter) error {
	id := fmt.Sprintf("%s.%d", l.Key, l.Seq)
	for range restoreTries {
		_, err := q.store(ctx, *l.Job, id, 0)
		if !errors.Is(err, errWaiting) {
			return err
		}
		m, err := direct.Last(ctx, q.conn, q.jobs, q.space.Job(l.Channel, l.Key))
		if err != nil || m != nil && m.Header.Get(jetstream.MsgIDHeader) == id {
			return err
		}
		sleep(ctx, restorePause)
	}
	return fmt.Errorf("%w: the job of %d is still being removed", ErrBusy, l.Seq)
}

// RedriveAll redrives the letters that a filter selects and that are there when it
// begins. Those that cannot be are skipped; with an error the numbers are those so far.
func (q *Queue) RedriveAll(ctx context.Context, f Filter) (redriven, skipped int, err error) {
	err = q.each(ctx, f, func(l Letter) error {
		err := q.redrive(ctx, l)
		switch {
		case err == nil:
			redriven++
		case errors.Is(err, ErrNotJob), errors.Is(err, ErrExpired), errors.Is(err, ErrBusy):
			skipped++
			return nil
		}
		return err
	})
	return redriven, skipped, err
}

// Drop removes a letter for good. Errors wrap ErrNoLetter or those of natsx.
func (q *Queue) Drop(ctx context.Context, seq uint64) error {
	if _, err := q.Show(ctx, seq); err != nil {
		return err
	}
	return q.remove(ctx, seq)
}

// DropAll removes the letters that a filter selects and that are there when it begins.
func (q *Queue) DropAll(ctx context.Context, f Filter) (dropped int, err error) {
	err = q.each(ctx, f, func(l Letter) error {
		err := q.remove(ctx, l.Seq)
		if err == nil {
			dropped++
		}
		return err
	})
	return dropped, err
}

// each calls do for the letters that a filter selects. Those written after it began, by
// jobs that die anew, are left alone.
func (q *Queue) each(ctx context.Context, f Filter, do func(Letter) error) error {
	newest, err := direct.Last(ctx, q.conn, q.dead, q.space.Dead("*", "*"))
	if err != nil || newest == nil {
		return err
	}
	for after, end := uint64(0), direct.Sequence(newest); ; {
		p, err := q.List(ctx, f, after, MaxLetters)
		if err != nil {
			return err
		}
		for _, l := range p.Letters {
			if l.Seq > end {
				return nil
			}
			if err := do(l); err != nil {
				return err
			}
		}
		if after = p.Next; !p.More {
			return nil
		}
	}
}

// remove deletes a letter; one that is gone already is no error.
func (q *Queue) remove(ctx context.Context, seq uint64) error {
	err := q.call(ctx, fmt.Sprintf("remove letter %d", seq), func(ctx context.Context) error {
		s, err := q.conn.JS.Stream(ctx, q.dead)
		if err != nil {
			return err
		}
		return s.DeleteMsg(ctx, seq)
	}, "$JS.API.STREAM.INFO."+q.dead, "$JS.API.STREAM.MSG.DELETE."+q.dead)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) { // NATS says why in words only
		if m, getErr := direct.At(ctx, q.conn, q.dead, seq); getErr == nil && m == nil {
			return nil
		}
	}
	return err
}
