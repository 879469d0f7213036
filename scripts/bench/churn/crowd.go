package churn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/protocol"
	"tidings/scripts/bench/wire"
)

const (
	// openAtOnce is how many connections are being opened at a time. It stays below
	// the length of a listener's queue, which would drop the rest for a second.
	openAtOnce = 512
	// checkEvery is how often the crowd looks whether everybody has caught up.
	checkEvery = 10 * time.Millisecond
	// patience is how long nothing may come before what is missing counts as lost.
	patience = 15 * time.Second
)

// narrow is the socket of a client whose stall should be felt by the server soon: an
// Ethernet's segment, and the smallest buffer that still takes a few events.
func narrow() wire.Dialer { return wire.Dialer{Segment: 1400, Window: 8 << 10} }

// Config describes a crowd.
type Config struct {
	// Addr is the server's host:port, Transports how its events are read: by everybody
	// in turn the next.
	Addr       string
	Transports []protocol.Transport
	// Conns is how many have a seat. Wide of them hear all rooms, through a narrow
	// socket; the others hear one each.
	Conns, Wide int
	// Deaf is how many more connect, ask for everything and never read.
	Deaf int
	// Rest is how long somebody stays as it is, on average, before the next deed. Who is
	// dropped or closed is back within a quarter of it, or now and then as late as Away;
	// a stall lasts up to half of it, and who never reads stays for Rest and up to Away more. What
	// everybody misses in Away must be in the log.
	Rest, Away time.Duration
	// Rate is how many events are published a second.
	Rate float64
	// Token returns the token of a user. All numbers from 0 on are different users.
	Token func(user int) (string, error)
	// Forged are tokens that the server must refuse.
	Forged []string
}

// Result is what became of a crowd.
type Result struct {
	// Counts are exact. Cut counts connections that ended unasked, that could not be
	// opened, or that the server did not let go.
	Counts load.Counts
	// CutBy is the first reason of a Cut, nil if there is none.
	CutBy error
	// Gap is what one of the gaps said, nil if there is none.
	Gap   error
	Deeds Deeds
	// Latency is from just before publishing to reading, for events that were sent
	// while a visitor was connected and reading. Late is how far behind the schedule
	// they were published.
	Latency, Late *load.Histogram
}

// Deeds are what people did.
type Deeds struct {
	// Joined came for the first time, Left went for good and left their seat to
	// somebody new.
	Joined, Left uint64
	// Cut were dropped without a word, Closed went properly; those Returned.
	Cut, Closed, Returned uint64
	// Stalled stopped reading for a while, Deaf never read.
	Stalled, Deaf uint64
	// Refused are the strangers whom the server sent away, Admitted those whom it did
	// not, and Abandoned those who cut their own request short.
	Refused, Admitted, Abandoned uint64
	// AdmittedAs says what the first of those admitted was, nil if there is none.
	AdmittedAs error
}

// crowd is a run.
type crowd struct {
	cfg     Config
	ledger  *Ledger
	pump    *wire.Pump
	opening chan struct{} // a slot for each who is being connected
	seats   []*seat
	users   atomic.Int64

	latency, late load.Histogram
	cuts          atomic.Uint64
	firstCut      atomic.Pointer[error]
	firstAdmitted atomic.Pointer[error]
	deeds         struct {
		joined, left, cut, closed, returned, stalled, deaf, refused, admitted, abandoned atomic.Uint64
	}

	mu       sync.Mutex
	departed []*visitor
}

// Run lets a crowd come, be restless for a time, catch up and go, and compares what
// everybody was sent with the ledger. It fails when ctx ends or when the server does
// not take visitors any more.
func Run(ctx context.Context, cfg Config, l *Ledger, d time.Duration) (Result, error) {
	c := &crowd{cfg: cfg, ledger: l, pump: wire.NewPump(), opening: make(chan struct{}, openAtOnce)}
	for i := range cfg.Conns {
		c.seats = append(c.seats, &seat{crowd: c, index: i, rng: rand.New(rand.NewPCG(uint64(l.run), uint64(i)))})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := c.churn(ctx, cancel, d)
	if err == nil {
		err = c.catchUp(ctx)
	}
	c.disperse(ctx)
	if err != nil {
		return Result{}, err
	}
	return c.result(), nil
}

// churn publishes, and lets everybody live, until the time is over. Those with a seat
// are connected then.
func (c *crowd) churn(ctx context.Context, cancel context.CancelCauseFunc, d time.Duration) error {
	var publisher, people sync.WaitGroup
	calm, silence := make(chan struct{}), make(chan struct{})
	publisher.Go(func() {
		more := func() bool {
			select {
			case <-silence:
				return false
			default:
				return true
			}
		}
		if err := c.ledger.publish(ctx, c.cfg.Rate, &c.late, more); err != nil {
			cancel(err)
		}
	})
	live := func(f func(context.Context, <-chan struct{}) error) {
		people.Go(func() {
			if err := f(ctx, calm); err != nil {
				cancel(err)
			}
		})
	}
	for _, s := range c.seats {
		live(s.live)
	}
	for i := range c.cfg.Deaf {
		live(func(ctx context.Context, calm <-chan struct{}) error { return c.deaf(ctx, i, calm) })
	}
	live(c.strangers)
	// An end before time is seen below.
	_ = pause(ctx, d, nil)
	close(calm)
	people.Wait()
	close(silence)
	publisher.Wait()
	return context.Cause(ctx)
}

// visitor makes somebody new for a seat.
func (c *crowd) visitor(seat int) (*visitor, error) {
	token, err := c.cfg.Token(int(c.users.Add(1)) - 1)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	v := &visitor{crowd: c, token: token}
	if seat < c.cfg.Wide {
		v.books.lane, v.dialer, v.narrow = c.ledger.all(), narrow(), true
	} else {
		v.books.lane = c.ledger.room(seat % c.ledger.rooms)
	}
	// Neighbours have different transports, and so have the people of one room.
	v.transport = c.cfg.Transports[(seat+seat/c.ledger.rooms)%len(c.cfg.Transports)]
	return v, nil
}

// part keeps the books of somebody who left for good.
func (c *crowd) part(v *visitor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.departed = append(c.departed, v)
}

// cutOff counts a connection that did not do as it should.
func (c *crowd) cutOff(err error) {
	c.cuts.Add(1)
	c.firstCut.CompareAndSwap(nil, &err)
}

// catchUp waits until everybody has the last event of its lane, or until nobody gets
// nearer to it. What did not come is for the books to say.
func (c *crowd) catchUp(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	var seen uint64
	for since := time.Now(); ; {
		var sum uint64
		done := true
		for _, s := range c.seats {
			if err := s.visitor.comeBack(ctx); err != nil {
				return err
			}
			sum += s.visitor.reached.Load()
			done = done && s.visitor.caughtUp()
		}
		if sum != seen {
			seen, since = sum, time.Now()
		}
		if done || time.Since(since) > patience {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// disperse lets everybody go, at once.
func (c *crowd) disperse(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range c.seats {
		all.Go(func() { s.goodbye(ctx) })
	}
	all.Wait()
}

// result settles all books.
func (c *crowd) result() Result {
	d := &c.deeds
	r := Result{
		Latency: &c.latency, Late: &c.late,
		Deeds: Deeds{
			Joined: d.joined.Load(), Left: d.left.Load(), Cut: d.cut.Load(), Closed: d.closed.Load(), Returned: d.returned.Load(),
			Stalled: d.stalled.Load(), Deaf: d.deaf.Load(), Refused: d.refused.Load(), Admitted: d.admitted.Load(), Abandoned: d.abandoned.Load(),
		},
	}
	if err := c.firstAdmitted.Load(); err != nil {
		r.Deeds.AdmittedAs = *err
	}
	add := func(v *visitor, stayed bool) {
		got := v.books.settle(c.ledger, stayed)
		if r.Gap == nil {
			r.Gap = v.books.gap
		}
		r.Counts.Expected += got.Expected
		r.Counts.Delivered += got.Delivered
		r.Counts.Lost += got.Lost
		r.Counts.Doubled += got.Doubled
		r.Counts.Disordered += got.Disordered
		r.Counts.Strays += got.Strays
		r.Counts.Gaps += got.Gaps
	}
	for _, v := range c.departed {
		add(v, false)
	}
	for _, s := range c.seats {
		add(s.visitor, true)
	}
	r.Counts.Cut = c.cuts.Load()
	if err := c.firstCut.Load(); err != nil {
		r.CutBy = *err
	}
	return r
}
