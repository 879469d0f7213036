package raw_test

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/edge/codec"
	"tidings/services/edge/connection"
	"tidings/services/edge/raw"
	"tidings/services/edge/tail"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// waylaid is a connection whose write of the first words is the test's.
type waylaid struct {
	*net.TCPConn
	heads int
	words func() error
}

// Write implements net.Conn.
func (w *waylaid) Write(b []byte) (int, error) {
	if w.heads++; w.heads == 2 {
		if err := w.words(); err != nil {
			return 0, err
		}
	}
	return w.TCPConn.Write(b)
}

// given is a ResponseWriter that gives a connection away.
type given struct {
	http.ResponseWriter
	nc net.Conn
}

// Hijack implements http.Hijacker.
func (g given) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return g.nc, bufio.NewReadWriter(bufio.NewReader(g.nc), bufio.NewWriter(g.nc)), nil
}

// marked is a member that tells when a change was handed over to it. It hands it over
// when it may.
type marked struct {
	connection.Member
	may, did chan struct{}
}

// Post implements connection.Member.
func (m marked) Post(ch *connection.Change) {
	<-m.may
	m.Member.Post(ch)
	close(m.did)
}

// TestLostOnTheWay: whoever wishes to change a connection that does not reach its shard
// hears at once that there is none.
func TestLostOnTheWay(t *testing.T) {
	t.Parallel()
	errWords := errors.New("the client left")
	for name, c := range map[string]struct {
		late, ended bool // when the change is handed over, and whether the sink has ended by then
		words       error
	}{
		"waiting":                   {false, false, errWords},
		"late":                      {true, false, errWords},
		"waiting, the sink ended":   {false, true, errWords},
		"late, the sink ended":      {true, true, errWords},
		"waiting for an ended sink": {false, true, nil},
		"late for an ended sink":    {true, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := begin(t)
			conn, start, bye := r.host.Admit(t.Context(), &connection.Request{
				Grant: &auth.Grant{User: "ann"}, Patterns: []subject.Pattern{"room.ops"}, Codec: codec.SSE(false),
			})
			if bye != nil {
				t.Fatalf("not admitted: %v", bye)
			}
			m := marked{may: make(chan struct{}), did: make(chan struct{})}
			answer := make(chan error, 1)
			r.serve(t, conn, start, func() error {
				m.Member = r.host.At(conn.Slot())
				r.host.Join(conn, m)
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
					defer cancel()
					_, err := r.host.Change(ctx, conn.Name(), connection.Change{User: "ann", Add: []subject.Pattern{"room.new"}})
					answer <- err
				}()
				if !c.late {
					close(m.may)
					<-m.did
					r.turn(t)
				}
				if c.ended {
					r.stop()
				}
				return c.words
			})
			if c.late {
				close(m.may)
			}
			err := <-answer
			if p, ok := errors.AsType[*httpx.Problem](err); !ok || p.Code != "connection_unknown" {
				t.Errorf("the change is answered with %v", err)
			}
			if n := r.host.Count(); n != 0 {
				t.Errorf("%d connections are left", n)
			}
		})
	}
}

// rig is a sink that runs.
type rig struct {
	host *connection.Host
	sink *raw.Sink
	stop func() // ends the sink and waits
}

func begin(t *testing.T) rig {
	t.Helper()
	tl := tail.New(tail.DefaultBytes)
	tl.Reset(event.Cursor{Epoch: "e1"})
	h := connection.NewHost(connection.Config{
		Node: "n1", Tail: tl, Away: func() error { return nil }, Heartbeat: time.Hour, Stall: time.Hour,
		Total: 10, PerUser: 10, Topics: 10, Logger: slog.New(slog.DiscardHandler),
	}, connection.NewMetrics(prometheus.NewRegistry()))
	s := raw.New(h)
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	r := rig{host: h, sink: s, stop: func() { cancel(); <-done }}
	t.Cleanup(r.stop)
	return r
}

// turn returns when the shards have done what they were given so far.
func (r rig) turn(t *testing.T) {
	if err := r.sink.Look(t.Context(), func(*connection.Sight) {}); err != nil {
		t.Error(err)
	}
}

// serve serves a connection to a client, with words in the place of the first words'
// write.
func (r rig) serve(t *testing.T, conn *connection.Conn, start connection.Start, words func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	w := given{httptest.NewRecorder(), &waylaid{TCPConn: nc.(*net.TCPConn), words: words}}
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/v1/events", http.NoBody), w)
	if !r.sink.Serve(c, conn, start) {
		t.Fatal("the connection was not taken")
	}
}
