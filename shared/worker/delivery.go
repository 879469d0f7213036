package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/worker/backoff"
)

const (
	// maxTurns is how often a job is looked at again when somebody else was faster.
	maxTurns = 3
	// ackTries is how often an acknowledgement is sent. One that fails costs no more than
	// a delivery that finds the job done.
	ackTries = 3
)

// delivery is one job that NATS gave to a worker. It is owned by the goroutine that
// deals with it.
type delivery struct {
	w     *Worker
	l     *life
	m     jetstream.Msg
	job   Job
	quiet func() // ends the telling NATS that the job is in hand
}

// deliver deals with a message of the queue.
func (w *Worker) deliver(l *life, m jetstream.Msg) {
	if meta, err := m.Metadata(); err == nil {
		w.cfg.Metrics.waiting.WithLabelValues(w.cfg.Channel).Set(float64(meta.NumPending))
	}
	job, err := readJob(m.Data())
	if err == nil && m.Subject() != w.q.space.Job(job.Channel, job.Key) {
		err = fmt.Errorf("%w: it is not the one of its subject", ErrJob)
	}
	token := m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
	if !w.take(token) {
		return // it came again while it is in hand; whoever has it will answer for it
	}
	defer w.release(token)
	flight := w.cfg.Metrics.inFlight.WithLabelValues(w.cfg.Channel)
	flight.Inc()
	defer flight.Dec()
	d := &delivery{w: w, l: l, m: m, job: job, quiet: w.speak(m)}
	defer d.quiet()
	switch {
	case l.taking.Err() != nil:
		d.giveBack(0)
	case err != nil:
		d.refuse(token, err)
	default:
		d.run()
	}
}

// take notes that a job is in hand, unless it is.
func (w *Worker) take(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.inHand[key]; ok {
		return false
	}
	w.inHand[key] = struct{}{}
	return true
}

func (w *Worker) release(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.inHand, key)
}

// speak tells NATS three times in AckWait that the message is in hand, until the
// function it returns is called.
func (w *Worker) speak(m jetstream.Msg) (quiet func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(w.cfg.AckWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_ = m.InProgress() // while NATS is away nobody else is given the job either
			}
		}
	})
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}

// run finds out where the job stands and goes on from there.
func (d *delivery) run() {
	s, err := d.status()
	for turn := 0; err == nil && turn < maxTurns; turn++ {
		st := next(s.Receipt, d.job, time.Now(), d.w.cfg.MaxAttempts)
		if left := d.w.patience(s.At); s.State == Sending && left > 0 {
			st = step{do: wait, pause: left}
		}
		switch st.do {
		case settle:
			d.ack()
			return
		case discard:
			d.term("dead")
			return
		case wait:
			d.giveBack(st.pause)
			return
		case expire, bury:
			if s.State == Sending {
				d.countUnsure()
			}
			if err = d.end(s.seq, st); err == nil {
				return
			}
		case begin:
			var seq uint64
			if seq, err = d.begin(s, st); err == nil {
				d.attempt(seq, st)
				return
			}
		}
		if errors.Is(err, errConflict) {
			s, err = d.w.q.last(d.l.storing, d.job)
		}
	}
	if err != nil && d.l.taking.Err() == nil {
		d.w.log.Warn("a job could not be begun and is given back", "key", d.job.Key, "err", err)
	}
	d.giveBack(lastRetry/2 + rand.N(lastRetry/2))
}

// patience returns how long a job is to be left alone that somebody else began to send
// at a time. Who did so within AckWait is there, whatever made NATS deliver the job again;
// and who lost the connection together with this worker is storing what the job came to.
func (w *Worker) patience(at time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := max(w.cfg.AckWait-time.Since(at), w.cfg.AckWait/2-time.Since(w.since))
	return min(wait, w.cfg.AckWait) // clocks differ
}

// status returns the job's last receipt. On its first delivery that is "queued", and
// the message says its sequence; a guess that is wrong is found out when something is
// stored behind it.
func (d *delivery) status() (status, error) {
	seq, parseErr := strconv.ParseUint(d.m.Headers().Get(headerReceipt), 10, 64)
	if meta, err := d.m.Metadata(); err == nil && meta.NumDelivered == 1 && parseErr == nil {
		return status{Receipt{State: Queued}, seq}, nil
	}
	return d.w.q.last(d.l.storing, d.job)
}

// begin stores that the job is being sent.
func (d *delivery) begin(s status, st step) (uint64, error) {
	r := receiptOf(d.job, Sending)
	r.Attempt, r.Unsure = st.attempt, st.unsure
	seq, err := d.w.q.append(d.l.storing, r, s.seq)
	if err == nil && s.State == Sending {
		d.w.log.Warn("a worker was lost while it was sending; the job is sent again", "key", d.job.Key, "attempt", st.attempt)
		d.countUnsure()
	}
	return seq, err
}

func (d *delivery) countUnsure() { d.w.cfg.Metrics.unsure.WithLabelValues(d.job.Channel).Inc() }

// attempt sends the job, whose "sending" has the sequence seq, and deals with the outcome.
func (d *delivery) attempt(seq uint64, st step) {
	a := Attempt{Job: d.job, Number: st.attempt, Unsure: st.unsure}
	began := time.Now()
	out, err := d.send(a)
	drained := err != nil && out.kind == again && d.l.sending.Err() != nil
	d.w.cfg.Metrics.attempted(d.job.Channel, label(out, err, drained), time.Since(began))
	if err != nil && out.kind == unsure {
		d.countUnsure()
	}
	r := receiptOf(d.job, Sent)
	r.Attempt, r.Detail, r.Unsure = a.Number, out.Detail, a.Unsure
	switch {
	case err == nil:
		d.sent(seq, r)
	case drained:
		// The attempt does not count: another worker makes it at once.
		r.State, r.Attempt, r.Next, r.Error = Retry, a.Number-1, r.At, errDrained.Error()
		d.later(seq, r, 0)
	case out.kind == held:
		pause := backoff.Hold(out.after, time.Since(d.job.Queued))
		r.State, r.Attempt, r.Next, r.Error = Retry, a.Number-1, time.Now().Add(pause).UTC(), err.Error()
		if d.job.expired(r.Next) {
			if err := d.end(seq, step{do: expire, attempt: r.Attempt, unsure: r.Unsure, err: r.Error}); err != nil {
				d.lost(err)
			}
			return
		}
		d.later(seq, r, pause)
	default:
		pause := d.w.cfg.Backoff.Pause(a.Number, out.after)
		st := after(a, out, pause, time.Now(), d.w.cfg.MaxAttempts)
		if st.err = err.Error(); st.do != wait {
			if err := d.end(seq, st); err != nil {
				d.lost(err)
			}
			return
		}
		r.State, r.Next, r.Error, r.Unsure = Retry, time.Now().Add(pause).UTC(), st.err, st.unsure
		d.later(seq, r, pause)
	}
}

// label names an outcome for the metrics.
func label(o Outcome, err error, drained bool) string {
	switch {
	case err == nil:
		return "sent"
	case drained:
		return "drained"
	case o.kind == held:
		return "held"
	case o.kind == never:
		return "never"
	case o.kind == unsure:
		return "unsure"
	}
	return "again"
}

// send calls the Sender within the attempt's time.
func (d *delivery) send(a Attempt) (out Outcome, err error) {
	ctx, cancel := context.WithTimeout(d.l.sending, d.w.cfg.SendTimeout)
	defer cancel()
	if !a.Job.Expires.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, a.Job.Expires)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			// A worker outlives its sender's faults. What the provider has got by now is
			// unknown.
			d.w.log.Error("the sender panicked", "key", a.Job.Key, "panic", p, "stack", string(debug.Stack()))
			out, err = Unsure(), errors.New("the sender panicked")
		}
	}()
	return d.w.cfg.Sender.Send(ctx, a)
}

// sent stores that the job is done, and acknowledges it.
func (d *delivery) sent(seq uint64, r Receipt) {
	err := d.persist(func(ctx context.Context) error {
		_, err := d.w.q.append(ctx, r, seq)
		return err
	})
	if errors.Is(err, errConflict) {
		// Another worker took over while this one was thought lost. That the job is sent is
		// true whatever the other does, and keeps it from trying again.
		d.w.log.Warn("a job was sent after another worker had taken it over; it may arrive twice", "key", r.Key)
		d.w.cfg.Metrics.overlaps.WithLabelValues(r.Channel).Inc()
		err = d.persist(func(ctx context.Context) error {
			_, err := d.w.q.write(ctx, r)
			return err
		})
	}
	if err != nil {
		d.lost(err)
		return
	}
	d.w.cfg.Metrics.ended(d.job, Sent)
	d.ack()
}

// later stores that the job is tried again after a pause, and gives it back for so long.
func (d *delivery) later(seq uint64, r Receipt, pause time.Duration) {
	err := d.persist(func(ctx context.Context) error {
		_, err := d.w.q.append(ctx, r, seq)
		return err
	})
	if err != nil {
		d.lost(err)
		return
	}
	d.giveBack(pause)
}

// end stores that the job is dead or expired, and removes it. The error is errConflict
// when another worker has the job, or that of the store.
func (d *delivery) end(seq uint64, st step) error {
	r := receiptOf(d.job, Expired)
	r.Attempt, r.Error, r.Unsure = st.attempt, st.err, st.unsure
	var letter uint64
	if st.do == bury {
		r.State = Dead
		var err error
		if letter, err = d.write(Letter{
			Key: r.Key, Channel: r.Channel, Reason: st.reason, Attempts: st.attempt,
			Error: st.err, Unsure: st.unsure, Died: r.At, Job: &d.job,
		}); err != nil {
			return err
		}
	}
	err := d.persist(func(ctx context.Context) error {
		_, err := d.w.q.append(ctx, r, seq)
		return err
	})
	if errors.Is(err, errConflict) && letter > 0 {
		d.retract(letter)
	}
	if err != nil {
		return err
	}
	d.w.cfg.Metrics.ended(d.job, r.State)
	if r.State == Expired {
		d.ack()
		return nil
	}
	d.w.log.Warn("a job was given up", "key", r.Key, "reason", string(st.reason), "attempts", r.Attempt)
	d.term(string(st.reason))
	return nil
}

// persist tries until it succeeds, somebody else has the job, or the worker's time is
// over. The job is in hand meanwhile: what happened to it must not be forgotten.
func (d *delivery) persist(do func(context.Context) error) error {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := do(d.l.storing)
		if err == nil || errors.Is(err, errConflict) || d.l.storing.Err() != nil {
			return err
		}
		if pause == firstRetry {
			d.w.log.Warn("what became of a job can't be stored yet; trying on", "key", d.job.Key, "err", err)
		}
		sleep(d.l.storing, pause/2+rand.N(pause/2))
	}
}

// lost says that the outcome of an attempt is not stored. If nobody else has the job,
// its next delivery finds it in Sending.
func (d *delivery) lost(err error) {
	if errors.Is(err, errConflict) {
		d.w.cfg.Metrics.overlaps.WithLabelValues(d.job.Channel).Inc()
	}
	d.w.log.Warn("what became of a job was not stored", "key", d.job.Key, "err", err)
}

// ack removes the message and waits until NATS says so.
func (d *delivery) ack() {
	d.quiet()
	for range ackTries {
		ctx, cancel := context.WithTimeout(d.l.storing, callWait)
		err := d.m.DoubleAck(ctx)
		cancel()
		if err == nil || errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			return
		}
		sleep(d.l.storing, firstRetry)
	}
}

// term removes the message for good. If that gets lost, its next delivery finds it dead.
func (d *delivery) term(reason string) {
	d.quiet()
	_ = d.m.TermWithReason(reason)
}

// giveBack lets NATS give the message to anybody after a pause. If that gets lost, it
// does so after AckWait.
func (d *delivery) giveBack(pause time.Duration) {
	d.quiet()
	_ = d.m.NakWithDelay(pause)
}
