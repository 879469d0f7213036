package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/event"
)

const (
	// followBuffer is how many messages may wait between NATS and the handler. Flow
	// control keeps the server from sending more than it; an overflow is noticed by
	// the break in the consumer's numbering.
	followBuffer = 64 << 10
	// followHeartbeat is how often the server speaks when it has nothing to send.
	followHeartbeat = time.Second
	// followSilence is how often it is checked that anything came at all. A consumer
	// that was silent for one whole period counts as lost.
	followSilence = 3 * followHeartbeat / 2
	// followRetry is the longest pause before a new consumer is tried.
	followRetry = time.Second
	// followIdle is how long the server keeps a consumer nobody listens to.
	followIdle = 30 * time.Second
	// shrunkChecks is how often a log that seems to have lost its end is asked again,
	// apiWait/2 apart, before that is believed: a new leader may still be applying
	// what it has already committed.
	shrunkChecks = 10
)

// Headers of the server's control messages, and the reply subject of all others.
const (
	headerStatus       = "Status"
	headerLastConsumer = "Nats-Last-Consumer"
	headerStalled      = "Nats-Consumer-Stalled"
	statusControl      = "100"
	replyStored        = "$JS.ACK."
)

// errReset says that a consumer was lost and a new one is needed.
var errReset = errors.New("the consumer was lost")

// follower is one call of Follow. It is owned by that call's goroutine.
type follower struct {
	l       *NATS
	h       Handler
	at      event.Cursor // the last entry handed over, and
	stored  time.Time    // when it was stored; zero if none was handed over yet
	started bool         // h.Epoch was called for at.Epoch
	told    time.Time    // when Health was last called, and
	lag     uint64       // with how many entries to come
}

// Follow implements Log. It reads with an ephemeral push consumer of its own,
// because that is what heals fastest (milliseconds after a server restart): the
// consumer is made anew, after the last entry seen, whenever its numbering breaks,
// the connection returns, or nothing comes for two heartbeats.
func (l *NATS) Follow(ctx context.Context, after event.Cursor, h Handler) error {
	f := &follower{l: l, h: h, at: after}
	for pause := time.Duration(0); ; {
		before := f.at
		err := f.session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, errReset) {
			h.Health(0, err)
		}
		if pause = min(followRetry, pause*2+50*time.Millisecond); f.at != before {
			pause = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause/2+time.Millisecond)):
		}
	}
}

// session follows with one consumer until it is lost.
func (f *follower) session(ctx context.Context) error {
	if err := f.locate(ctx); err != nil {
		return err
	}
	nc := f.l.conn.NC
	// Registered before the consumer exists, so that no reconnect is missed.
	up := nc.StatusChanged(nats.CONNECTED)
	defer nc.RemoveStatusListener(up)
	inbox := nc.NewInbox()
	msgs := make(chan *nats.Msg, followBuffer)
	sub, err := nc.ChanSubscribe(inbox, msgs)
	if err != nil {
		return classify(fmt.Errorf("subscribe: %w", err))
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	name, pending, err := f.consume(ctx, inbox)
	if err != nil {
		return err
	}
	defer f.forget(name)
	f.tell(pending, true)
	return f.read(ctx, msgs, up)
}

// locate finds out where to go on: it notices that the log is another one, or
// shorter than what was already seen.
func (f *follower) locate(ctx context.Context) error {
	info, err := f.info(ctx)
	for range shrunkChecks {
		if err != nil || !f.shrunk(info) {
			break
		}
		if err = pause(ctx, apiWait/2); err == nil {
			info, err = f.info(ctx)
		}
	}
	lost := err == nil && f.shrunk(info)
	if err == nil && !lost {
		lost, err = f.replaced(ctx, info)
	}
	if lost {
		f.l.log.Error("the event log lost its end; all cursors are void", "had", f.at.Seq, "has", info.State.LastSeq)
		if info, err = f.l.rotate(ctx, f.at.Epoch); err == nil {
			f.at, f.started = event.Cursor{Epoch: extent(info).Epoch, Seq: epochStart(info)}, false
		}
	}
	if err != nil {
		return err
	}
	if x := extent(info); f.at.Epoch != x.Epoch {
		// Another follower may have seen the loss first. What stands before the epoch's
		// start was handed over in the old one.
		seq := max(x.First-1, epochStart(info))
		if f.at.Epoch == "" {
			seq = x.First - 1 // nothing was handed over yet
		}
		f.at, f.started = event.Cursor{Epoch: x.Epoch, Seq: seq}, false
	}
	if !f.started {
		f.started, f.stored = true, time.Time{}
		f.l.marks.reset()
		f.h.Epoch(f.at)
	}
	return nil
}

func (f *follower) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	return f.l.info(ctx)
}

// shrunk reports whether the log ends before what was seen of it.
func (f *follower) shrunk(info *jetstream.StreamInfo) bool {
	return f.at.Epoch == info.Config.Metadata[epochKey] && info.State.LastSeq < f.at.Seq
}

// replaced reports whether the log holds another entry where the last one handed
// over was: it lost its end and has grown past it since.
func (f *follower) replaced(ctx context.Context, info *jetstream.StreamInfo) (bool, error) {
	if f.stored.IsZero() || f.at.Epoch != info.Config.Metadata[epochKey] {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	b, err := f.l.get(ctx, getRequest{Seq: f.at.Seq, Batch: 1})
	if err != nil || len(b.msgs) == 0 {
		return false, err
	}
	seq, _ := sequence(b.msgs[0].Header, jetstream.SequenceHeader)
	at, err := storedAt(b.msgs[0].Header)
	// Another sequence says nothing: entries are dropped by the log's limits.
	return seq == f.at.Seq && !at.Equal(f.stored), err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// consume creates the consumer and returns its name and how much it has to send.
func (f *follower) consume(ctx context.Context, inbox string) (string, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	var c jetstream.PushConsumer
	err := f.l.conn.Guard(ctx, func(ctx context.Context) (err error) {
		c, err = f.l.conn.JS.CreatePushConsumer(ctx, f.l.config.Name, jetstream.ConsumerConfig{
			DeliverSubject:    inbox,
			DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
			OptStartSeq:       f.at.Seq + 1,
			AckPolicy:         jetstream.AckNonePolicy,
			MaxDeliver:        1,
			FlowControl:       true,
			IdleHeartbeat:     followHeartbeat,
			InactiveThreshold: followIdle,
			MemoryStorage:     true,
			Replicas:          1,
		})
		return err
	}, "$JS.API.CONSUMER.CREATE."+f.l.config.Name+".>")
	if err != nil {
		return "", 0, classify(fmt.Errorf("consumer: %w", err))
	}
	info := c.CachedInfo()
	return info.Name, info.NumPending, nil
}

// forget deletes the consumer; the server would do it by itself after followIdle.
func (f *follower) forget(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), apiWait/2)
	defer cancel()
	if f.l.conn.Connected() {
		_ = f.l.conn.JS.DeleteConsumer(ctx, f.l.config.Name, name)
	}
}

// read hands entries over until the consumer's numbering breaks or it falls silent.
func (f *follower) read(ctx context.Context, msgs <-chan *nats.Msg, up <-chan nats.Status) error {
	silence := time.NewTimer(followSilence)
	defer silence.Stop()
	quiet := true // nothing came since the timer was set
	next := uint64(1)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-up:
			return errReset
		case <-silence.C:
			// The timer is re-armed here and not for each message: that is one timer
			// operation per two seconds instead of one per event.
			if quiet && len(msgs) == 0 {
				return fmt.Errorf("%w: nothing came for %v: %w", ErrUnavailable, followSilence, errSilent)
			}
			if f.renamed(ctx) {
				return errReset
			}
			quiet = true
			silence.Reset(followSilence)
		case m := <-msgs:
			quiet = false
			ok, err := f.message(m, &next)
			if err != nil || !ok {
				return err
			}
		}
	}
}

// renamed reports whether the log got another epoch while it was followed: of two
// followers that find at once that it lost its end, one overwrites the other's.
func (f *follower) renamed(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	epoch, err := f.l.knownEpoch(ctx)
	return err == nil && epoch != f.at.Epoch
}

// errSilent tells a lost consumer from a lost connection in the log.
var errSilent = errors.New("the log's consumer fell silent")

// message handles one message of the consumer.
func (f *follower) message(m *nats.Msg, next *uint64) (bool, error) {
	// A stored message may carry any header, but only stored ones ask for an ack.
	if len(m.Data) == 0 && m.Header.Get(headerStatus) == statusControl && !strings.HasPrefix(m.Reply, replyStored) {
		return f.control(m, *next)
	}
	meta, err := m.Metadata()
	if err != nil {
		return false, errReset // not from our consumer
	}
	if meta.Sequence.Consumer != *next {
		return false, errReset
	}
	*next++
	f.h.Entry(f.l.entry(m.Subject, m.Header, m.Data, meta.Sequence.Stream, meta.Timestamp))
	f.at.Seq, f.stored = meta.Sequence.Stream, meta.Timestamp
	f.l.marks.add(meta.Sequence.Stream, meta.Timestamp)
	f.tell(meta.NumPending, false)
	return true, nil
}

// control answers flow control and checks a heartbeat's numbering.
func (f *follower) control(m *nats.Msg, next uint64) (bool, error) {
	if m.Reply != "" { // a flow-control request: answering it asks for more
		if err := m.Respond(nil); err != nil {
			return false, classify(fmt.Errorf("flow control: %w", err))
		}
		return true, nil
	}
	if stalled := m.Header.Get(headerStalled); stalled != "" {
		if err := f.l.conn.NC.Publish(stalled, nil); err != nil {
			return false, classify(fmt.Errorf("flow control: %w", err))
		}
	}
	if last, ok := sequence(m.Header, headerLastConsumer); ok && last != next-1 {
		return false, errReset
	}
	f.tell(0, false)
	return true, nil
}

// tell reports health at most once a heartbeat, or at once if it just began or
// the log's end was just reached.
func (f *follower) tell(lag uint64, now bool) {
	if t := time.Now(); now || lag == 0 && f.lag > 0 || t.Sub(f.told) >= followHeartbeat {
		f.told, f.lag = t, lag
		f.h.Health(lag, nil)
	}
}
