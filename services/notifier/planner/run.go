package planner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tidings/shared/natsx"
	"tidings/shared/natsx/direct"
)

const (
	// fireWait bounds one call of fire.
	fireWait = time.Minute
	// firstAgain and lastAgain bound the jittered pauses before an entry that could not
	// be fired is tried again; it is tried for ever.
	firstAgain, lastAgain = 500 * time.Millisecond, 5 * time.Minute
	// lookAgain is after how long an entry that is not there is looked for once more: a
	// leader that was just elected does not know yet what the one before it stored last.
	lookAgain = 2 * time.Second
	// maxRipe is how many entries that are due are taken out of the heap in advance.
	maxRipe = 256
	// longestNap bounds the wait for the next entry: clocks are set, machines sleep.
	longestNap = 30 * time.Second
)

// Fire does what an entry is about. It may be called again for the same entry, by this
// and by other instances and at the same time, and must be idempotent. An error has it
// called again later. It may plan its own key anew: that stays.
type Fire func(ctx context.Context, e Entry) error

// item is an entry as it is remembered until it is due: 16 bytes, and 100,000 of them are
// read in a second (BenchmarkStart).
type item struct {
	due int64 // in microseconds
	seq uint64
}

func (a item) before(b item) bool { return a.due < b.due || a.due == b.due && a.seq < b.seq }

// attempt is an entry that is due.
type attempt struct {
	item
	ready time.Time // since when it is due, or when it is to be tried again
	tries int
	fired bool // only removing it failed
	doubt bool // it was not there, and is looked for once more
}

// outcome is what became of an attempt.
type outcome struct {
	attempt
	err  error // it is to be tried again
	gone bool  // it was not there
	lost bool  // somebody else was there as well
}

// run is one call of Run; all fields belong to its goroutine.
type run struct {
	p    *Planner
	fire Fire

	later    heap[item]    // not due yet
	ripe     []attempt     // due, the first one first
	failing  heap[attempt] // by ready; those in doubt as well
	doubts   int           // how many of those there are
	active   map[item]bool // what is in ripe or failing, or being fired
	flying   int
	outcomes chan outcome // takes all that can be flying
	manners  manners
}

// Run has entries fired when they are due, until ctx ends, and returns nil after all that
// it began has ended. It waits for NATS for as long as it takes; Check tells why nothing
// is fired. Call it once.
func (p *Planner) Run(ctx context.Context, fire Fire) error {
	r := &run{
		p: p, fire: fire, manners: newManners(), active: map[item]bool{},
		later:    heap[item]{less: item.before},
		failing:  heap[attempt]{less: func(a, b attempt) bool { return a.ready.Before(b.ready) }},
		outcomes: make(chan outcome, p.cfg.Concurrency),
	}
	for pause := firstRetry; ctx.Err() == nil; {
		loaded, err := r.session(ctx)
		if loaded {
			pause = firstRetry
		}
		if errors.Is(err, errReload) || ctx.Err() != nil {
			continue
		}
		if before := p.tell(err); before == nil || errors.Is(before, errStarting) {
			p.cfg.Log.Warn("the schedule is not followed; trying on", "err", err)
		}
		sleep(ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, lastRetry)
	}
	for ; r.flying > 0; r.flying-- {
		<-r.outcomes
	}
	return nil
}

// advance begins what may begin now, and returns how long nothing else will.
func (r *run) advance(ctx context.Context) time.Duration {
	r.ripen()
	// Without NATS everything would fail, and had to be tried again some time later.
	for nap := longestNap; r.p.conn.Connected(); {
		now := time.Now()
		a, wait, ok := r.next(now)
		if wait > 0 || !ok {
			return max(min(wait, r.untilDue(), nap), 0)
		}
		r.flying++
		go func() { r.outcomes <- r.try(ctx, a) }() // Run waits for it
		r.ripen()
	}
	return longestNap // the connection's return is told
}

// ripen takes what is due out of the heap.
func (r *run) ripen() {
	now, since := r.p.cfg.Now().UnixMicro(), time.Now()
	for len(r.later.list) > 0 && len(r.ripe) < maxRipe && r.later.list[0].due <= now {
		if it := r.later.pop(); !r.active[it] { // the schedule was read again meanwhile
			r.active[it] = true
			r.ripe = append(r.ripe, attempt{item: it, ready: since})
		}
	}
	r.p.metrics.pending.Set(float64(len(r.later.list) + len(r.active)))
	r.p.metrics.failing.Set(float64(len(r.failing.list) - r.doubts))
}

// untilDue returns how long nothing more becomes due.
func (r *run) untilDue() time.Duration {
	if len(r.later.list) == 0 || len(r.ripe) >= maxRipe {
		return longestNap
	}
	until := r.later.list[0].due - r.p.cfg.Now().UnixMicro()
	if until > longestNap.Microseconds() {
		return longestNap
	}
	return time.Duration(until) * time.Microsecond
}

// next takes out what is to be begun now. Otherwise it returns how long to wait for it, if
// it is only for time to pass, and longestNap if not.
func (r *run) next(now time.Time) (a attempt, wait time.Duration, ok bool) {
	most := r.p.cfg.Concurrency
	if r.manners.polite() {
		most = 1 // or it might lose many races at once
	}
	if r.flying >= most {
		return a, longestNap, false
	}
	wait = longestNap
	if len(r.failing.list) > 0 {
		if wait = r.failing.list[0].ready.Sub(now); wait <= 0 {
			if a = r.failing.pop(); a.doubt {
				r.doubts--
			}
			return a, 0, true
		}
	}
	if len(r.ripe) > 0 {
		begin := r.ripe[0].ready.Add(r.manners.patience)
		if r.manners.hold.After(begin) {
			begin = r.manners.hold
		}
		if !begin.After(now) {
			a, r.ripe = r.ripe[0], r.ripe[1:]
			return a, 0, true
		}
		wait = min(wait, begin.Sub(now))
	}
	return a, wait, false
}

// ended notes what became of an attempt.
func (r *run) ended(ctx context.Context, o outcome) {
	r.flying--
	if o.err == nil && o.gone && !o.doubt {
		r.manners.gone()
		o.doubt, o.ready = true, time.Now().Add(lookAgain)
		r.doubts++
		r.failing.push(o.attempt)
		return
	}
	if o.err == nil {
		delete(r.active, o.item)
		switch {
		case o.gone:
		case o.lost:
			r.p.metrics.doubled.Inc()
			r.manners.lost(time.Now())
		default:
			r.manners.won()
		}
		return
	}
	if ctx.Err() != nil {
		return // it is stopping, and the entry is where it was
	}
	pause := firstAgain
	if !errors.Is(o.err, natsx.ErrAway) { // which passes, and says nothing about the entry
		r.p.metrics.failed.Inc()
		o.tries++
		pause = again(o.tries)
		r.p.cfg.Log.Warn("an entry could not be fired; trying on", "seq", o.seq, "tries", o.tries, "again_in", pause, "err", o.err)
	}
	o.doubt, o.ready = false, time.Now().Add(pause)
	r.failing.push(o.attempt)
}

// again returns the pause after so many tries.
func again(tries int) time.Duration {
	d := lastAgain
	if tries < 12 {
		d = min(d, firstAgain<<(tries-1))
	}
	return d/2 + rand.N(d/2)
}

// try fires an entry and removes it.
func (r *run) try(ctx context.Context, a attempt) outcome {
	o := outcome{attempt: a}
	subj := ""
	if !o.fired {
		e, where, err := r.read(ctx, a.item)
		if err != nil || where == "" {
			o.err, o.gone = err, err == nil
			return o
		}
		if o.err = r.guarded(ctx, e); o.err != nil {
			return o
		}
		r.p.metrics.fired.Inc()
		r.p.metrics.late.Observe(max(r.p.cfg.Now().Sub(e.Due).Seconds(), 0))
		o.fired, subj = true, where
	}
	// Also while stopping: what was fired would be fired again.
	ctx = context.WithoutCancel(ctx)
	was, err := r.p.remove(ctx, a.seq)
	if err != nil {
		o.err = fmt.Errorf("it was fired, but not removed: %w", err)
		return o
	}
	if !was && subj != "" {
		// If there is another one it was planned anew, which often is what firing does.
		m, err := direct.LastAtLeader(ctx, r.p.conn, r.p.config.Name, subj)
		o.lost = err == nil && m == nil
	}
	return o
}

// read returns an entry and its subject, which is empty if it is not there any more.
func (r *run) read(ctx context.Context, it item) (Entry, string, error) {
	p := r.p
	m, err := direct.At(ctx, p.conn, p.config.Name, it.seq)
	if err == nil && m == nil {
		// A replica that lags does not have it yet; only the leader knows.
		m, err = direct.AtLeader(ctx, p.conn, p.config.Name, it.seq)
	}
	if err != nil {
		return Entry{}, "", err
	}
	if m == nil || due(m.Header) != it.due { // another one, of a stream that was made anew
		return Entry{}, "", nil
	}
	subj := direct.Subject(m)
	e, err := decode(m.Data)
	if err == nil && e.Due.UnixMicro() != it.due {
		err = fmt.Errorf("%w: its times differ", ErrEntry)
	}
	if err != nil {
		if _, removeErr := p.remove(ctx, it.seq); removeErr != nil {
			return Entry{}, "", fmt.Errorf("drop a malformed entry: %w", removeErr)
		}
		p.metrics.malformed.Inc()
		p.cfg.Log.Error("a malformed entry was dropped", "seq", it.seq, "subject", subj, "err", err)
		return Entry{}, "", nil
	}
	return e, subj, nil
}

// guarded calls fire within fireWait and makes an error of a panic: one bad entry must
// not end the process, again and again.
func (r *run) guarded(ctx context.Context, e Entry) (err error) {
	ctx, cancel := context.WithTimeout(ctx, fireWait)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return r.fire(ctx, e)
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
