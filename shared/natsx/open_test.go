package natsx_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/testkit"
)

func TestEmbeddedListens(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	nc, err := nats.Connect(c.Embedded().ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sub, err := c.NC.SubscribeSync("greeting")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.NC.Flush(), nc.Publish("greeting", []byte("hello"))); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsg(testkit.Patience); err != nil || string(m.Data) != "hello" {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestEmbeddedInMemoryOnly(t *testing.T) {
	t.Parallel()
	c, err := natsx.Open(t.Context(), natsx.Config{Name: "test", Dir: t.TempDir()}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if url := c.Embedded().ClientURL(); url != "" {
		t.Errorf("reachable at %q", url)
	}
	if !c.Connected() {
		t.Error("not connected")
	}
}

func TestEmbeddedRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	inUse := t.TempDir()
	c, err := natsx.Open(t.Context(), natsx.Config{Dir: inUse}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for name, r := range map[string]struct {
		cfg  natsx.Config
		want string
	}{
		"no directory":      {natsx.Config{}, "data directory"},
		"used directory":    {natsx.Config{Dir: inUse}, natsx.ErrInUse.Error()},
		"taken port":        {natsx.Config{Dir: t.TempDir(), Listen: taken.Addr().String()}, "address already in use"},
		"no port":           {natsx.Config{Dir: t.TempDir(), Listen: "127.0.0.1"}, "missing port"},
		"a word as port":    {natsx.Config{Dir: t.TempDir(), Listen: "127.0.0.1:http"}, "not a number"},
		"port out of range": {natsx.Config{Dir: t.TempDir(), Listen: "127.0.0.1:99999"}, "invalid port"},
		"negative port":     {natsx.Config{Dir: t.TempDir(), Listen: "127.0.0.1:-5"}, "not a number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := natsx.Open(t.Context(), r.cfg, testkit.Log(t))
			if err == nil {
				c.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), r.want) || !strings.HasPrefix(err.Error(), "embedded NATS: ") {
				t.Errorf("got %q, want %q in it", err, r.want)
			}
		})
	}
}

// TestRestart: a restart comes back with its streams and on its port, and both
// kinds of clients find it again.
func TestRestart(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	url := c.Embedded().ClientURL()
	outside, err := nats.Connect(url, nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	if _, err := c.JS.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.JS.Publish(t.Context(), "s", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c.Embedded().Stop()
		c.Embedded().Stop() // a second time is no harm
		if _, err := c.Embedded().InProcessConn(); err == nil {
			t.Error("a stopped server gave a connection")
		}
		if got := c.Embedded().ClientURL(); got != "" {
			t.Errorf("a stopped server is at %q", got)
		}
		testkit.Eventually(t, "the loss to be noticed", func() bool { return !c.Connected() })
		if err := c.NC.Publish("s", nil); err == nil {
			t.Error("a publish was buffered while the server is away")
		}
		for range 2 {
			if err := c.Embedded().Start(); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.Embedded().ClientURL(); got != url {
			t.Errorf("came back at %s, was at %s", got, url)
		}
		testkit.Eventually(t, "both clients to be back", func() bool { return c.Connected() && outside.IsConnected() })
	}
	s, err := c.JS.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.GetMsg(t.Context(), 1); err != nil || string(m.Data) != "kept" {
		t.Errorf("got %v, %v", m, err)
	}
}

// TestOpenAway: waiting ends with its context, and tells of a server that is away
// only if it was not told to stop.
func TestOpenAway(t *testing.T) {
	t.Parallel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for want, ctx := range map[error]context.Context{natsx.ErrAway: late, context.Canceled: canceled} {
		start := time.Now()
		_, err := natsx.Open(ctx, natsx.Config{URL: "nats://user:secret@127.0.0.1:1"}, testkit.Log(t))
		if !errors.Is(err, want) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("got %v, want %v", err, want)
		}
		if took := time.Since(start); took > testkit.Patience {
			t.Errorf("it took %v", took)
		}
	}
}

// TestOpenWaits: a server that comes later is found, as in a cluster that starts
// in any order.
func TestOpenWaits(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	s.Stop()
	type result struct {
		c   *natsx.Conn
		err error
	}
	opened := make(chan result, 1)
	waiting := make(chan struct{}, 1)
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("waiting for NATS")) {
			waiting <- struct{}{}
		}
	}), nil))
	go func() {
		c, err := natsx.Open(t.Context(), natsx.Config{URL: s.URL()}, log)
		opened <- result{c, err}
	}()
	<-waiting
	s.Start()
	r := <-opened
	if r.err != nil {
		t.Fatal(r.err)
	}
	r.c.Close()
}

// writerFunc makes a writer of a function.
type writerFunc func([]byte)

func (w writerFunc) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// TestOpenRefuses: what waiting cannot mend fails at once, in words that help and
// do not tell a secret.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const users = `{ user: writer, password: right }`
	off := natsxtest.Run(t, "authorization: "+users)
	account := natsxtest.Run(t, "jetstream: enabled\naccounts { A { users: ["+users+"] } }")
	for name, c := range map[string]struct {
		cfg  natsx.Config
		kind error // nil: any
		want string
	}{
		"JetStream off":         {natsx.Config{URL: off.With("writer:right")}, natsx.ErrNoJetStream, ""},
		"JetStream not for us":  {natsx.Config{URL: account.With("writer:right")}, natsx.ErrNoJetStream, ""},
		"wrong password":        {natsx.Config{URL: off.With("writer:wrong-secret")}, nats.ErrAuthorization, ""},
		"no credentials":        {natsx.Config{URL: off.URL()}, nats.ErrAuthorization, ""},
		"no credentials file":   {natsx.Config{URL: off.URL(), Creds: filepath.Join(t.TempDir(), "none")}, nil, "none"},
		"space in the host":     {natsx.Config{URL: "nats://user:secret@ho st"}, nil, "URL of NATS"},
		"percent in a password": {natsx.Config{URL: "nats://user:%secret@host"}, nil, "URL of NATS"},
		"a broken port":         {natsx.Config{URL: "nats://user:secret@host:port"}, nil, "URL of NATS"},
		"an old server":         {natsx.Config{URL: oldServer(t, "2.10.29")}, natsx.ErrOld, "2.10.29"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
			defer cancel()
			conn, err := natsx.Open(ctx, c.cfg, testkit.Log(t))
			if err == nil {
				conn.Close()
				t.Fatal("opened")
			}
			if ctx.Err() != nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %v %q", err, c.kind, c.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q tells the password", err)
			}
		})
	}
}

// oldServer speaks just enough of the protocol to tell its version, and returns
// its URL. The real server of that version cannot be linked in.
func oldServer(t *testing.T, version string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "INFO {\"server_id\":\"X\",\"version\":%q,\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n", version)
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if lines.Text() == "PING" {
				fmt.Fprint(conn, "PONG\r\n")
			}
		}
	}()
	return "nats://" + l.Addr().String()
}

// TestOpenReadOnly: credentials that may not ask JetStream anything are told from
// a server that does not answer, and soon.
func TestOpenReadOnly(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, `
		jetstream: enabled
		authorization { users: [ { user: reader, password: x, permissions: { publish: { deny: ">" } } } ] }`)
	_, err := natsx.Open(t.Context(), natsx.Config{URL: s.With("reader:x")}, testkit.Log(t))
	if !errors.Is(err, natsx.ErrReadOnly) || errors.Is(err, natsx.ErrAway) {
		t.Errorf("got %v, want ErrReadOnly", err)
	}
}

// TestCredentialsRefusedForAWhile: nats.go gives a connection up for good when
// it is refused twice. A rollout that is not through yet must not do that.
func TestCredentialsRefusedForAWhile(t *testing.T) {
	t.Parallel()
	const config = "jetstream: enabled\nauthorization: { user: u, password: %s }"
	s := natsxtest.Run(t, fmt.Sprintf(config, "right"))
	c, err := natsx.Open(t.Context(), natsx.Config{URL: s.With("u:right")}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Reconfigure(fmt.Sprintf(config, "wrong"))
	attempts := s.Attempts()
	testkit.Eventually(t, "four refusals", func() bool { return s.Attempts() >= attempts+4 })
	s.Reconfigure(fmt.Sprintf(config, "right"))
	testkit.Eventually(t, "the connection to be back", c.Connected)
}
