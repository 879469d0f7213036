package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/event"
	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// Name is the log's stream, below the prefix: "tidings_EVENTS".
	Name = "EVENTS"
	// epochKey is the stream's metadata that holds the epoch, so that it lives and
	// dies with the stream.
	epochKey = "tidings-epoch"
	// epochStartKey is the metadata that holds where the epoch began, if that was not
	// the stream's beginning: what stands before belongs to an older one.
	epochStartKey = "tidings-epoch-start"
	// ackWait bounds the wait for a store acknowledgement. A leader election takes
	// about five seconds; a caller that waits longer is better told so.
	ackWait = 5 * time.Second
	// apiWait bounds one call of the JetStream API. It is short because a call sent
	// during a leader change gets no answer at all: asking again is what heals.
	apiWait = time.Second
	// duplicateWindow is how long a key is remembered, NATS's own default.
	duplicateWindow = 2 * time.Minute
	// epochFresh is how long an epoch that was read counts as the present one.
	epochFresh = 5 * time.Second
	// canaryTTL lets canaries vanish from the log by themselves. Each that vanishes
	// leaves a hole in the sequences, and a follower that begins before a hole cannot
	// tell what was there: so they stay for longer than a tail reaches back.
	canaryTTL = 30 * time.Minute
	// headerKey makes a publish idempotent; headerTTL limits a message's life.
	headerKey, headerTTL = jetstream.MsgIDHeader, jetstream.MsgTTLHeader
)

// Limits are what the log keeps. The oldest goes first.
type Limits struct {
	// Age is how long an event is kept.
	Age time.Duration
	// PerTopic is how many events of one topic are kept, so that a noisy room
	// cannot push out a quiet one.
	PerTopic int64
	// Bytes is how much is kept in all.
	Bytes int64
	// Replicas is the number of copies, 1, 3 or 5; used when the stream is created.
	Replicas int
}

// NATS is the Log in a JetStream stream. Make one with OpenNATS.
type NATS struct {
	conn   *natsx.Conn
	space  subject.Space
	config jetstream.StreamConfig
	log    *slog.Logger

	marks marks

	mu        sync.Mutex
	epoch     string // as last read from the stream
	epochRead time.Time
}

// OpenNATS creates the stream, or brings an existing one to these limits, and
// returns the log in it. Errors wrap those of natsx and of this package.
func OpenNATS(ctx context.Context, conn *natsx.Conn, space subject.Space, limits Limits, log *slog.Logger) (*NATS, error) {
	l := &NATS{conn: conn, space: space, log: log, config: jetstream.StreamConfig{
		Name:              space.Stream(Name),
		Description:       "Tidings: every event, in order",
		Subjects:          []string{space.Events(">")},
		MaxAge:            limits.Age,
		MaxMsgsPerSubject: limits.PerTopic,
		MaxBytes:          limits.Bytes,
		Replicas:          limits.Replicas,
		Discard:           jetstream.DiscardOld,
		Storage:           jetstream.FileStorage,
		Duplicates:        min(duplicateWindow, limits.Age),
		AllowDirect:       true,
		AllowMsgTTL:       true,
		Sources:           sources(space),
	}}
	if _, err := l.Epoch(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// AttachNATS returns the log in a stream that exists already, as it is. It is for
// tools: unlike OpenNATS it has no say in the limits.
func AttachNATS(ctx context.Context, conn *natsx.Conn, space subject.Space, log *slog.Logger) (*NATS, error) {
	s, err := conn.JS.Stream(ctx, space.Stream(Name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("there is no event log %s at this NATS: is Tidings running on it, with this prefix?", space.Stream(Name))
	}
	if err != nil {
		return nil, classify(fmt.Errorf("stream %s: %w", space.Stream(Name), err))
	}
	info := s.CachedInfo()
	return &NATS{conn: conn, space: space, log: log, config: info.Config, epoch: extent(info).Epoch}, nil
}

// Append implements Log.
func (l *NATS) Append(ctx context.Context, ev event.Event, key string) (Ack, error) {
	m := &nats.Msg{Subject: l.space.Events(subject.Pattern(ev.Topic)), Header: nats.Header(ev.Header()), Data: ev.Data}
	if key != "" {
		setHeader(m, headerKey, key)
	}
	return l.publish(ctx, m)
}

// Canary stores a short-lived entry that every follower sees as Entry.Canary and
// no topic selects. It is how a node proves that the log reaches it.
func (l *NATS) Canary(ctx context.Context, node string, payload []byte) (Ack, error) {
	m := &nats.Msg{Subject: l.space.Canary(node), Data: payload}
	setHeader(m, headerTTL, canaryTTL.String())
	return l.publish(ctx, m)
}

func setHeader(m *nats.Msg, name, value string) {
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	m.Header[name] = []string{value}
}

func (l *NATS) publish(ctx context.Context, m *nats.Msg) (Ack, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	epoch, err := l.knownEpoch(ctx)
	if err != nil {
		return Ack{}, err
	}
	var ack *jetstream.PubAck
	err = l.conn.Guard(ctx, func(ctx context.Context) (err error) {
		// nats.go repeats a publish only when nobody listened to it, so nothing is stored twice.
		ack, err = l.conn.JS.PublishMsg(ctx, m)
		return err
	}, m.Subject)
	if err != nil {
		return Ack{}, classify(fmt.Errorf("append to %s: %w", m.Subject, err))
	}
	return Ack{Cursor: event.Cursor{Epoch: epoch, Seq: ack.Sequence}, Duplicate: ack.Duplicate}, nil
}

// knownEpoch returns the epoch as read lately. A store's acknowledgement does not
// carry it, and asking for each event would double the cost of an Append.
func (l *NATS) knownEpoch(ctx context.Context) (string, error) {
	l.mu.Lock()
	epoch, age := l.epoch, time.Since(l.epochRead)
	l.mu.Unlock()
	if epoch != "" && age < epochFresh {
		return epoch, nil
	}
	x, err := l.Epoch(ctx)
	return x.Epoch, err
}

// Epoch implements Log. It asks the stream's leader, and makes the stream again
// if somebody deleted it.
func (l *NATS) Epoch(ctx context.Context) (Extent, error) {
	info, err := l.info(ctx)
	if err != nil {
		return Extent{}, err
	}
	return extent(info), nil
}

func extent(info *jetstream.StreamInfo) Extent {
	s := info.State
	x := Extent{Epoch: info.Config.Metadata[epochKey], First: s.FirstSeq, Last: s.LastSeq, Messages: s.Msgs, Bytes: s.Bytes}
	if s.Msgs == 0 {
		x.First = x.Last + 1
	}
	return x
}

// info reads the stream's state from its leader, with the epoch made sure of.
func (l *NATS) info(ctx context.Context, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	var info *jetstream.StreamInfo
	err := l.conn.Guard(ctx, func(ctx context.Context) error {
		s, err := l.conn.JS.Stream(ctx, l.config.Name)
		if err == nil && len(opts) > 0 {
			info, err = s.Info(ctx, opts...)
		} else if err == nil {
			info = s.CachedInfo()
		}
		return err
	}, "$JS.API.STREAM.INFO."+l.config.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) || err == nil && (info.Config.Metadata[epochKey] == "" || !l.ensured()) {
		info, err = l.ensure(ctx, newEpoch())
	}
	if err != nil {
		return nil, classify(fmt.Errorf("stream %s: %w", l.config.Name, err))
	}
	l.mu.Lock()
	l.epoch, l.epochRead = info.Config.Metadata[epochKey], time.Now()
	l.mu.Unlock()
	return info, nil
}

// ensured says whether the limits were already brought up to date once. Later
// changes by an operator's hand are left alone until the next start.
func (l *NATS) ensured() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch != ""
}

// ensure makes the stream exist with the configured limits and some epoch; the
// given one is used only if it has none. What it draws from exists before it does.
func (l *NATS) ensure(ctx context.Context, epoch string) (*jetstream.StreamInfo, error) {
	if err := l.ensureFeeds(ctx); err != nil {
		return nil, err
	}
	want := l.config
	want.Metadata = map[string]string{epochKey: epoch}
	return l.conn.EnsureStream(ctx, want)
}

// epochStart returns the position that the stream's epoch began after.
func epochStart(info *jetstream.StreamInfo) uint64 {
	start, err := strconv.ParseUint(info.Config.Metadata[epochStartKey], 10, 64)
	if err != nil {
		return 0 // there is none: the epoch is as old as the stream
	}
	return start
}

// rotate gives the stream a new epoch because its end was lost: old positions
// would silently mean other events. Several followers find out at about the same
// time. The random pause before lets one of them be first, the one after shows to
// all who was last.
func (l *NATS) rotate(ctx context.Context, old string) (*jetstream.StreamInfo, error) {
	if err := pause(ctx, rand.N(apiWait/2)); err != nil {
		return nil, err
	}
	info, err := l.info(ctx)
	if err != nil || info.Config.Metadata[epochKey] != old {
		return info, err
	}
	cfg := info.Config
	cfg.Metadata[epochKey] = newEpoch()
	cfg.Metadata[epochStartKey] = strconv.FormatUint(info.State.LastSeq, 10)
	if _, err := l.conn.JS.UpdateStream(ctx, cfg); err != nil {
		return nil, classify(fmt.Errorf("new epoch for %s: %w", cfg.Name, err))
	}
	if err := pause(ctx, apiWait/2); err != nil {
		return nil, err
	}
	return l.info(ctx)
}

// entry makes an Entry of a stored message.
func (l *NATS) entry(subj string, header nats.Header, data []byte, seq uint64, stored time.Time) Entry {
	topic, ok := l.space.EventTopic(subj)
	if !ok {
		e := Entry{Seq: seq}
		if l.isCanary(subj) {
			e.Canary = data
		}
		return e
	}
	return Entry{Seq: seq, Event: event.FromMessage(topic, header, data, stored)}
}

func (l *NATS) isCanary(subj string) bool {
	prefix := l.space.Canary("")
	return len(subj) > len(prefix) && subj[:len(prefix)] == prefix
}

// classify adds this package's error to one of natsx's kinds.
func classify(err error) error {
	err = natsx.Classify(err)
	for kind, ours := range map[error]error{
		natsx.ErrAway: ErrUnavailable, natsx.ErrFull: ErrFull,
		natsx.ErrTooLarge: ErrTooLarge, natsx.ErrReadOnly: ErrDenied,
	} {
		if errors.Is(err, kind) {
			return fmt.Errorf("%w: %w", ours, err)
		}
	}
	return err
}

// sequence reads a sequence out of a header of the server.
func sequence(h nats.Header, name string) (uint64, bool) {
	n, err := strconv.ParseUint(last(h, name), 10, 64)
	return n, err == nil
}

// last returns the last value of a header. The server adds what it says about a
// stored message behind the message's own headers, which may hold the same names.
func last(h nats.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}
