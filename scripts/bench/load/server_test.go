package load_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/protocol"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// epoch is the log's name in the cursors of the scripted server.
const epoch = "E1"

// server speaks just enough of Tidings' protocols, and lets a test say every byte.
// Every stream it accepts becomes a peer.
type server struct {
	t         *testing.T
	transport protocol.Transport
	chunked   bool
	piece     int    // how many bytes each write has; 0 for all
	refuse    string // if set, sent in place of any answer

	addr string

	mu    sync.Mutex
	peers []*peer
	seq   uint64
}

// peer is the server's end of one stream.
type peer struct {
	s       *server
	conn    net.Conn
	request *http.Request
	reader  *bufio.Reader
}

func (s *server) start(t *testing.T) *server {
	t.Helper()
	s.t = t
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.greet(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
		for _, p := range s.peers {
			p.conn.Close()
		}
	})
	return s
}

// greet answers a request and says hello.
func (s *server) greet(c net.Conn) {
	r := bufio.NewReader(c)
	req, err := http.ReadRequest(r)
	if err != nil {
		c.Close()
		return
	}
	p := &peer{s: s, conn: c, request: req, reader: r}
	switch {
	case s.refuse != "":
		p.raw([]byte(s.refuse))
	case s.transport == protocol.WebSocket:
		sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		p.raw([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nsec-websocket-accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"))
		p.frame(0x81, []byte(`{"type":"tidings.hello","data":{"conn":"c","resumed":false},"cursor":"E1-0"}`))
	default:
		head := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		if s.chunked {
			head += "Transfer-Encoding: chunked\r\n"
		}
		p.raw([]byte(head + "\r\n"))
		p.sse([]byte("retry: 1000\n\n"))
		p.sse([]byte("id: E1-0\nevent: tidings.hello\ndata: {\"resumed\":false}\n\n"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = append(s.peers, p)
}

// raw writes bytes in pieces.
func (p *peer) raw(b []byte) {
	n := p.s.piece
	if n == 0 {
		n = len(b)
	}
	for len(b) > 0 {
		k := min(n, len(b))
		if _, err := p.conn.Write(b[:k]); err != nil {
			return // the client left
		}
		b = b[k:]
	}
}

// sse writes a part of an event stream, in chunks of a size that fits nothing.
func (p *peer) sse(b []byte) {
	if !p.s.chunked {
		p.raw(b)
		return
	}
	for len(b) > 0 {
		k := min(37, len(b))
		p.raw(fmt.Appendf(nil, "%x;x=y\r\n%s\r\n", k, b[:k]))
		b = b[k:]
	}
}

// frame writes one WebSocket frame.
func (p *peer) frame(first byte, payload []byte) {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	p.raw(append(b, payload...))
}

// event sends one event as the server would.
func (p *peer) event(topic subject.Topic, seq uint64, data []byte) {
	e, at := event.Event{Topic: topic, Type: event.DefaultType, Data: data}, event.Cursor{Epoch: epoch, Seq: seq}
	if p.s.transport == protocol.WebSocket {
		p.frame(0x81, e.AppendJSONCursor(nil, at))
		return
	}
	p.sse(e.AppendSSE(nil, at))
}

// Publish implements load.Publisher: everybody gets everything.
func (s *server) Publish(_ context.Context, topic subject.Topic, data [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range data {
		s.seq++
		for _, p := range s.peers {
			p.event(topic, s.seq, d)
		}
	}
	return nil
}

// Settle implements load.Publisher.
func (s *server) Settle(context.Context) load.Acks { return load.Acks{} }

// one returns the only peer there should be.
func (s *server) one() *peer {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.peers) != 1 {
		s.t.Fatalf("%d peers, want 1", len(s.peers))
	}
	return s.peers[0]
}

// forget makes the server send nothing more to its peers.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		p.conn.Close()
	}
	s.peers = nil
}

// reply reads n bytes that the client sent.
func (p *peer) reply(n int) []byte {
	p.s.t.Helper()
	b := make([]byte, n)
	_ = p.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(p.reader, b); err != nil {
		p.s.t.Fatal(err)
	}
	return b
}

// fleet connects subscribers that are all in room 0.
func (s *server) fleet(conns int) *load.Fleet { return s.narrowFleet(conns, 0) }

// narrowFleet is fleet with some that can stall.
func (s *server) narrowFleet(conns, narrow int) *load.Fleet {
	s.t.Helper()
	f, err := load.New(load.Config{
		Narrow: narrow, Addr: s.addr, Transport: s.transport, Run: 0xabc, Conns: conns, Rooms: 2, Capacity: 1000,
		RoomsOf: func(int) []int { return []int{0} }, Quiet: []string{"user"},
		Token: func(i int) (string, error) { return fmt.Sprintf("t%d", i), nil },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(f.Close)
	return f
}
