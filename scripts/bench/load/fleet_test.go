package load_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/protocol"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

const patience = 30 * time.Second

func pace(events int) load.Pace {
	return load.Pace{Events: events, Rate: 1e6, Burst: 3, Rooms: []int{0}, Size: 200}
}

// round publishes and waits.
func round(t *testing.T, f *load.Fleet, to load.Publisher, p load.Pace) (load.Sent, *load.Tally) {
	t.Helper()
	tally := f.Begin(p.Events)
	sent, err := f.Publish(t.Context(), to, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Await(t.Context(), tally, f.Expected(sent), patience); err != nil {
		t.Fatal(err)
	}
	return sent, tally
}

// TestExact runs every transport through every way of cutting its bytes.
func TestExact(t *testing.T) {
	t.Parallel()
	for _, s := range []*server{
		{transport: protocol.SSE},
		{transport: protocol.SSE, chunked: true},
		{transport: protocol.WebSocket},
		{transport: protocol.SSE, piece: 1},
		{transport: protocol.SSE, chunked: true, piece: 1},
		{transport: protocol.WebSocket, piece: 1},
		{transport: protocol.SSE, piece: 61},
		{transport: protocol.SSE, chunked: true, piece: 61},
		{transport: protocol.WebSocket, piece: 61},
	} {
		t.Run(fmt.Sprintf("%s/chunked=%v/piece=%d", s.transport, s.chunked, s.piece), func(t *testing.T) {
			t.Parallel()
			s.start(t)
			f := s.fleet(3)
			if err := f.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				testkit.Eventually(t, "the server to know its peers", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.peers) == 3 })
				sent, tally := round(t, f, s, pace(10))
				if got := tally.Counts(f.Expected(sent)); !got.Exact() || got.Delivered != 30 {
					t.Errorf("got %+v of %+v: %v", got, sent, f.CutBy())
				}
				if tally.Complete() != 3 || tally.Completion.Count() != 3 || tally.Latency.Count() != 30 || tally.Last() <= 0 {
					t.Errorf("%d complete, %d latencies, last at %v", tally.Complete(), tally.Latency.Count(), tally.Last())
				}
				f.Drop() // the second round goes over new connections
				s.forget()
				if err := f.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestCounts makes every mistake a server can make.
func TestCounts(t *testing.T) {
	t.Parallel()
	s := (&server{transport: protocol.SSE}).start(t)
	f := s.fleet(1)
	if err := f.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the peer", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.peers) == 1 })
	p := s.one()
	wrong := publisher(func(topic subject.Topic, data [][]byte) {
		for _, i := range []int{0, 1, 1, 3, 2, 5} { // 1 twice, 2 late, 4 never
			p.event(topic, uint64(i), data[i])
		}
		p.event("room.other", 9, load.NewCoder(0xabc).Data(load.Stamp{Room: 1, Seq: 7}, 0))
		p.event(topic, 9, load.NewCoder(0xabc).Data(load.Stamp{Seq: 5000}, 0)) // never published
		p.event(topic, 9, load.NewCoder(0xdef).Data(load.Stamp{}, 0))          // another run's: not ours to judge
		p.sse([]byte("id: E1-9\n\n"))
		p.sse([]byte("event: tidings.gap\ndata: {}\n\n"))
	})
	tally := f.Begin(0)
	sent, err := f.Publish(t.Context(), wrong, load.Pace{Events: 6, Rate: 1e6, Burst: 6, Rooms: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	p.conn.Close()
	want := load.Counts{Expected: 6, Delivered: 5, Lost: 1, Doubled: 1, Disordered: 1, Strays: 2, Gaps: 1, Cut: 1}
	testkit.Eventually(t, "the cut", func() bool { return tally.Counts(6).Cut == 1 })
	if got := tally.Counts(f.Expected(sent)); got != want || got.Exact() {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if f.CutBy() == nil {
		t.Error("nobody knows why the connection ended")
	}
}

// publisher is a Publisher that is a function.
type publisher func(subject.Topic, [][]byte)

func (p publisher) Publish(_ context.Context, topic subject.Topic, data [][]byte) error {
	p(topic, data)
	return nil
}

func (p publisher) Settle(context.Context) load.Acks { return load.Acks{} }

// TestResume drops a client in the middle of an event. It must come back in front
// of it.
func TestResume(t *testing.T) {
	t.Parallel()
	for _, transport := range []protocol.Transport{protocol.SSE, protocol.WebSocket} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			s := (&server{transport: transport}).start(t)
			f := s.fleet(1)
			if err := f.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "the peer", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.peers) == 1 })
			if q := s.one().request; q.URL.Query().Get("topics") != "user,"+string(f.Topic(0)) || q.Header.Get("Authorization") != "Bearer t0" {
				t.Errorf("the request is %v with %v", q.URL, q.Header)
			}
			round(t, f, s, pace(3))
			half := "id: E1-4\nevent: message\ndata: {}\n"
			if transport == protocol.WebSocket {
				half = "\x81\x20{\"cursor\":\"E1-4\"}"
			}
			s.one().raw([]byte(half))
			f.Drop()
			s.forget()
			if err := f.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "the peer", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.peers) == 1 })
			q := s.one().request
			if got := q.Header.Get("Last-Event-ID") + q.URL.Query().Get("cursor"); got != "E1-3" {
				t.Errorf("resumes at %q, want E1-3", got)
			}
		})
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	s := (&server{transport: protocol.SSE}).start(t)
	f := s.narrowFleet(4, 1)
	if err := f.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the peers", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.peers) == 4 })
	f.Stall()
	tally := f.Begin(6)
	sent, err := f.Publish(t.Context(), s, pace(6))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.AwaitComplete(t.Context(), tally, 3, patience); err != nil || tally.Complete() != 3 {
		t.Errorf("%d complete while one stalls, %v", tally.Complete(), err)
	}
	f.Release()
	if err := f.Await(t.Context(), tally, f.Expected(sent), patience); err != nil || tally.Complete() != 4 {
		t.Errorf("%d complete in the end, %v", tally.Complete(), err)
	}
	if n := tally.Latency.Count(); n != 18 {
		t.Errorf("%d latencies, want those of the 3 who read", n)
	}
}

// TestRefused opens streams at servers that do not want any.
func TestRefused(t *testing.T) {
	t.Parallel()
	long := "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20<<10)
	for _, c := range []struct {
		transport    protocol.Transport
		answer, want string
	}{
		{protocol.SSE, "HTTP/1.1 401 Unauthorized\r\n\r\n{\"detail\":\"no token\"}", "no token"},
		{protocol.SSE, "HTTP/1.1 200 OK\r\n\r\nevent: tidings.bye\ndata: {\"code\":\"overloaded\"}\n\n", "overloaded"},
		{protocol.SSE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk"},
		{protocol.SSE, long, "head"},
		{protocol.WebSocket, "HTTP/1.1 200 OK\r\n\r\n", "200"},
		{protocol.WebSocket, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n", "Accept"},
	} {
		s := (&server{transport: c.transport, refuse: c.answer}).start(t)
		err := s.fleet(2).Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "2 of 2") {
			t.Errorf("%q: got %v", c.answer[:min(60, len(c.answer))], err)
		}
	}
}

// TestWebSocketFrames sends what is rare.
func TestWebSocketFrames(t *testing.T) {
	t.Parallel()
	s := (&server{transport: protocol.WebSocket, piece: 3}).start(t)
	f := s.fleet(1)
	if err := f.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the peer", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.peers) == 1 })
	p := s.one()
	p.frame(0x89, []byte("ping!"))
	pong := p.reply(6 + 5)
	if pong[0] != 0x8A || pong[1] != 0x80|5 {
		t.Fatalf("the answer to a ping is % x", pong)
	}
	for i := range 5 {
		pong[6+i] ^= pong[2+i%4]
	}
	if !bytes.Equal(pong[6:], []byte("ping!")) {
		t.Errorf("the pong holds %q", pong[6:])
	}
	fragments := publisher(func(_ subject.Topic, data [][]byte) {
		body := append([]byte(`{"data":`), data[0]...)
		p.frame(0x01, body[:20])
		p.frame(0x8A, nil) // control frames may come between
		p.frame(0x00, body[20:40])
		p.frame(0x80, append(body[40:], `,"cursor":"E1-1"}`...))
	})
	_, tally := round(t, f, fragments, load.Pace{Events: 1, Rate: 1, Burst: 1, Rooms: []int{0}, Size: 300})
	if got := tally.Counts(1); !got.Exact() {
		t.Errorf("got %+v, %v", got, f.CutBy())
	}
	p.frame(0x88, []byte("\x03\xe9away"))
	testkit.Eventually(t, "the end", func() bool { return f.CutBy() != nil })
	if err := f.CutBy(); !strings.Contains(err.Error(), `1001 "away"`) {
		t.Errorf("ended with %v", err)
	}
}

func TestWebSocketFaults(t *testing.T) {
	t.Parallel()
	for name, bytes := range map[string]string{
		"a mask": "\x81\x80", "a reserved bit": "\xC1\x00", "an opcode": "\x83\x00", "a length": "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		s := (&server{transport: protocol.WebSocket}).start(t)
		f := s.fleet(1)
		if err := f.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the peer", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.peers) == 1 })
		s.one().raw([]byte(bytes))
		testkit.Eventually(t, "the end over "+name, func() bool { return f.CutBy() != nil })
	}
}

func TestPublishEnds(t *testing.T) {
	t.Parallel()
	s := (&server{transport: protocol.SSE}).start(t)
	f := s.fleet(0)
	if _, err := f.Publish(t.Context(), s, pace(1001)); err == nil {
		t.Error("more events than there are bits")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Publish(ctx, s, load.Pace{Events: 2, Rate: 0.001, Burst: 1, Rooms: []int{0}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := f.Await(ctx, f.Begin(0), 1, patience); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
