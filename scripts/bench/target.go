package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/notices"
	"tidings/scripts/bench/server"
	"tidings/shared/auth"
	"tidings/shared/natsx"
	"tidings/shared/subject"
	"tidings/shared/telemetry"
)

const (
	// tokenTTL is longer than any run.
	tokenTTL = 2 * time.Hour
	// natsWait bounds the wait for NATS.
	natsWait = 10 * time.Second
)

// The metrics that the bench reads.
const (
	metricReads       = "tidings_edge_range_reads_total"
	metricConnections = "tidings_edge_connections"
	metricHeap        = "go_memstats_heap_alloc_bytes"
	metricStacks      = "go_memstats_stack_inuse_bytes"
	metricGoroutines  = "go_goroutines"
	metricHeapInUse   = "go_memstats_heap_inuse_bytes" // with what is lost between the objects
	metricDescriptors = "process_open_fds"
)

// target is the server that is measured.
type target struct {
	url, nats        string
	admin            server.Admin
	addr             string // host:port of url
	space            subject.Space
	secret           telemetry.Secret
	audience, issuer string
	pid, natsPID     int

	run     uint32 // of the last fleet's topics
	server  *server.Server
	conn    *natsx.Conn // nil when publishing over HTTP
	publish load.Publisher
	ours    bool // the streams at an external NATS are this run's own

	// Of notify.
	broker *server.NATS
	books  *notices.Books
	sink   *notices.Sink
}

// openTarget finds or starts the server and connects a publisher to it.
func openTarget(ctx context.Context, o *Options) (*target, error) {
	t := &target{
		url: o.URL, admin: server.Admin(o.Admin), nats: o.NATS, secret: o.Secret, audience: o.Audience, issuer: o.Issuer,
		pid: o.ServerPID, natsPID: o.NATSPID, run: newRun(),
	}
	prefix := o.Prefix
	if o.URL == "" {
		prefix = subject.DefaultPrefix
		if o.NATS != "" { // somebody's own NATS: stay apart from what is in it
			prefix, t.ours = fmt.Sprintf("bench-%08x", t.run), true
		}
		cfg := server.Config{Program: o.Program, Args: arguments(o, prefix), NATS: o.NATS, Progress: o.Progress}
		if o.notify() {
			if err := t.openNotices(ctx, o, &cfg); err != nil {
				return nil, errors.Join(err, t.close())
			}
		}
		s, err := server.Start(ctx, cfg)
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t.server, t.url, t.admin, t.pid = s, "http://"+s.HTTP, s.Admin, s.PID()
		t.secret, t.audience, t.issuer = s.Secret, "", ""
		if o.NATS == "" {
			t.nats = "nats://" + s.NATS
		}
	}
	if t.broker != nil {
		t.nats = t.broker.URL
	}
	t.addr = strings.TrimPrefix(t.url, "http://")
	err := t.openPublisher(ctx, o, prefix)
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// arguments are the settings of the server: its bounds are raised to what is
// measured, or lowered to what a soak can fill, and everything else is as shipped.
func arguments(o *Options, prefix string) []string {
	args := []string{
		"--prefix", prefix, "--max-connections", strconv.Itoa(max(o.Conns, o.Crowd) + 1000), "--max-topics", strconv.Itoa(o.Topics + quietTopics),
		"--events-per-topic", "1000000", "--drain", "1s", "--log-level", "warn",
	}
	if o.soak() {
		args = append(args, "--tail-bytes", strconv.Itoa(soakTail), "--events-bytes", strconv.Itoa(o.soakBytes()))
	}
	if o.Sink == sinkOrdinary {
		args = append(args, "--raw=false")
	}
	return args
}

// newRun draws the number of a run.
func newRun() uint32 {
	b := make([]byte, 4)
	rand.Read(b) // It never fails; the program crashes without randomness.
	return binary.BigEndian.Uint32(b)
}

// openPublisher connects to NATS, or mints a token for HTTP.
func (t *target) openPublisher(ctx context.Context, o *Options, prefix string) error {
	var err error
	if t.space, err = subject.NewSpace(prefix); err != nil {
		return fmt.Errorf("prefix: %w", err)
	}
	if o.Publish == publishHTTP {
		token, err := t.mint("bench", nil, []string{"room.bench.>"})
		if err != nil {
			return err
		}
		t.publish = load.NewHTTPPublisher(t.url, token)
		if !t.ours {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, natsWait)
	defer cancel()
	t.conn, err = natsx.Open(ctx, natsx.Config{URL: t.nats, Name: "tidings-bench"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("publish through NATS: %w", err)
	}
	if t.publish == nil {
		t.publish = load.NewNATSPublisher(t.conn, t.space)
	}
	return nil
}

// token is the token of a subscriber: everybody is somebody else.
func (t *target) token(i int) (string, error) {
	return t.mint(fmt.Sprintf("bench-%d", i), []string{"room.bench.>"}, nil)
}

// mintNotify mints the token of who notifies.
func (t *target) mintNotify() (string, error) {
	return auth.Mint([]byte(t.secret.Reveal()), auth.Claims{User: "bench", Notify: true, TTL: tokenTTL, Audience: t.audience, Issuer: t.issuer}, time.Now())
}

func (t *target) mint(user string, sub, pub []string) (string, error) {
	return auth.Mint([]byte(t.secret.Reveal()), auth.Claims{
		User: user, Sub: sub, Pub: pub, TTL: tokenTTL, Audience: t.audience, Issuer: t.issuer,
	}, time.Now())
}

// close ends what was started and removes what was stored.
func (t *target) close() error {
	var errs []error
	if t.server != nil {
		errs = append(errs, t.server.Stop())
	}
	if t.conn != nil {
		if t.ours {
			errs = append(errs, t.sweep())
		}
		t.conn.Close()
	}
	if t.broker != nil {
		errs = append(errs, t.broker.Stop())
	}
	if t.sink != nil {
		errs = append(errs, t.sink.Close())
	}
	return errors.Join(errs...)
}

// sweep deletes this run's streams from an external NATS.
func (t *target) sweep() error {
	ctx, cancel := context.WithTimeout(context.Background(), natsWait)
	defer cancel()
	names := t.conn.JS.StreamNames(ctx)
	var errs []error
	for name := range names.Name() {
		// Buckets are streams whose names have a prefix of their own.
		if strings.Contains(name, t.space.Prefix()+"_") {
			errs = append(errs, t.conn.JS.DeleteStream(ctx, name))
		}
	}
	if err := errors.Join(append(errs, names.Err())...); err != nil {
		return fmt.Errorf("remove the bench's streams %s_*: %w", t.space.Prefix(), err)
	}
	return nil
}
