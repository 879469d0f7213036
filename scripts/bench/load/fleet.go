package load

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tidings/scripts/bench/protocol"
	"tidings/scripts/bench/wire"
	"tidings/shared/subject"
)

const (
	// openAtOnce is how many connections are being opened at a time. It stays below
	// the length of a listener's queue, which would drop the rest for a second.
	openAtOnce = 512
	// checkEvery is how often Await looks.
	checkEvery = 2 * time.Millisecond
	// maxRooms is what a stamp can tell apart.
	maxRooms = 1 << 16
)

// Config describes a fleet.
type Config struct {
	// Addr is the server's host:port and Transport how its events are read.
	Addr      string
	Transport protocol.Transport
	// Run distinguishes this run's topics and stamps from all others'.
	Run uint32
	// Conns is the number of subscribers.
	Conns int
	// Rooms is how many rooms there are, RoomsOf which of them a subscriber is in.
	Rooms   int
	RoomsOf func(subscriber int) []int
	// Quiet are topics that everybody has as well and nobody publishes to.
	Quiet []string
	// Capacity is the most events that are published in the fleet's life.
	Capacity int
	// Token returns the token of a subscriber; nil for none.
	Token func(subscriber int) (string, error)
	// Narrow is how many subscribers can Stall. Their connections have buffers like
	// those of a network instead of loopback's, and their latencies are not counted.
	Narrow int
}

// Fleet is a crowd of subscribers. Make one with New and Close it.
type Fleet struct {
	cfg   Config
	coder Coder
	base  time.Time
	pump  *wire.Pump

	subscribers []*subscriber
	inRoom      []int // subscribers of each room
	published   uint32

	tally    atomic.Pointer[Tally]
	firstCut atomic.Pointer[error]

	// Connect is how long opening took, from dialing to the greeting.
	Connect Histogram
}

// New makes a fleet, of which nothing is connected yet.
func New(cfg Config) (*Fleet, error) {
	if cfg.Rooms > maxRooms {
		return nil, fmt.Errorf("%d rooms, at most %d", cfg.Rooms, maxRooms)
	}
	f := &Fleet{
		cfg: cfg, coder: NewCoder(cfg.Run), base: time.Now(), pump: wire.NewPump(),
		subscribers: make([]*subscriber, cfg.Conns), inRoom: make([]int, cfg.Rooms),
	}
	f.tally.Store(&Tally{})
	for i := range f.subscribers {
		s := &subscriber{fleet: f, index: i, rooms: slices.Sorted(slices.Values(cfg.RoomsOf(i))), seen: make([]uint64, (cfg.Capacity+63)/64)}
		for _, r := range s.rooms {
			f.inRoom[r]++
		}
		if cfg.Token != nil {
			var err error
			if s.token, err = cfg.Token(i); err != nil {
				return nil, fmt.Errorf("token: %w", err)
			}
		}
		f.subscribers[i] = s
	}
	return f, nil
}

// Close ends all connections.
func (f *Fleet) Close() { f.Drop() }

// Now is the time since the run's beginning, by the clock of the stamps.
func (f *Fleet) Now() time.Duration { return time.Since(f.base) }

// Topic returns a room's topic.
func (f *Fleet) Topic(room int) subject.Topic { return Topic(f.cfg.Run, room) }

// Topic returns the topic of a run's room.
func Topic(run uint32, room int) subject.Topic {
	return subject.Room("bench", strconv.FormatUint(uint64(run), 16), strconv.Itoa(room))
}

// query is the query of a subscriber's request.
func (f *Fleet) query(rooms []int) string {
	topics := slices.Clone(f.cfg.Quiet)
	for _, r := range rooms {
		topics = append(topics, string(f.Topic(r)))
	}
	return "topics=" + strings.Join(topics, ",") // names need no escape
}

func (f *Fleet) dialer(index int) wire.Dialer {
	if index < f.cfg.Narrow {
		// An Ethernet's segment and the smallest buffer that still takes a few events.
		return wire.Dialer{Segment: 1400, Window: 8 << 10}
	}
	return wire.Dialer{}
}

// Open connects everybody who is not, where they left off. Either all are greeted by
// the server, or the error says how many were not and why the first was not.
func (f *Fleet) Open(ctx context.Context) error {
	var (
		wg     sync.WaitGroup
		failed atomic.Int64
		first  atomic.Pointer[error]
	)
	slots := make(chan struct{}, openAtOnce)
	for _, s := range f.subscribers {
		if s.line != nil {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			began := time.Now()
			if err := s.open(ctx); err != nil {
				failed.Add(1)
				first.CompareAndSwap(nil, &err)
				return
			}
			f.Connect.Add(time.Since(began))
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d of %d could not connect: %w", n, len(f.subscribers), *first.Load())
	}
	return nil
}

// Drop cuts all connections at once. The subscribers keep their cursors.
func (f *Fleet) Drop() {
	var wg sync.WaitGroup
	for _, s := range f.subscribers {
		if s.line == nil {
			continue
		}
		s.line.Cut() // everybody first, then wait for each
		wg.Go(s.close)
	}
	wg.Wait()
}

// Stall makes the narrow subscribers stop reading until Release.
func (f *Fleet) Stall() {
	for _, s := range f.subscribers[:f.cfg.Narrow] {
		s.line.Stall()
	}
}

// Release lets everybody read again.
func (f *Fleet) Release() {
	for _, s := range f.subscribers {
		s.line.Release()
	}
}

// Begin starts a round: events published from now on are counted in the returned
// Tally. each is how many events complete a subscriber, 0 for no matter.
func (f *Fleet) Begin(each int) *Tally {
	t := &Tally{first: f.published, each: each}
	f.tally.Store(t)
	return t
}

// Expected is how many deliveries the published events should become.
func (f *Fleet) Expected(s Sent) uint64 {
	var n uint64
	for room, events := range s.Rooms {
		n += uint64(events) * uint64(f.inRoom[room]) // Neither is negative.
	}
	return n
}

// Await waits until so many deliveries were counted, or until none has come for
// patience. It fails only when ctx ends: what did not come is for Counts to say.
func (f *Fleet) Await(ctx context.Context, t *Tally, expected uint64, patience time.Duration) error {
	return f.await(ctx, t, patience, func() bool { return t.delivered.Load() >= expected })
}

// AwaitComplete is Await for a number of subscribers that have all their events.
func (f *Fleet) AwaitComplete(ctx context.Context, t *Tally, subscribers int, patience time.Duration) error {
	return f.await(ctx, t, patience, func() bool { return t.Complete() >= subscribers })
}

func (f *Fleet) await(ctx context.Context, t *Tally, patience time.Duration, done func() bool) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for seen, since := t.delivered.Load(), time.Now(); !done(); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if now := t.delivered.Load(); now != seen {
			seen, since = now, time.Now()
		} else if time.Since(since) > patience {
			return nil
		}
	}
	return nil
}

// CutBy is why the first connection that ended unasked did; nil if none did.
func (f *Fleet) CutBy() error {
	if err := f.firstCut.Load(); err != nil {
		return *err
	}
	return nil
}
