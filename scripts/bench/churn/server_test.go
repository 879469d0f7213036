package churn_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tidings/scripts/bench/load"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// epoch is the log's name in the cursors of the scripted server.
const epoch = "E1"

// faulty is which events a fault befalls: those whose sequences it divides.
const faulty = 23

// server is a small Tidings: a log, streams that resume, and refusals. It does one
// thing wrong if a test says so.
type server struct {
	fault string
	addr  string
	made  atomic.Uint64 // faults

	mu      sync.Mutex
	more    chan struct{} // closed when the log grows
	log     []event.Event // the sequence of the first is 1
	settled int
	stopped bool
}

func start(t *testing.T, fault string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{fault: fault, addr: l.Addr().String(), more: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		s.stopped = true
		close(s.more)
		s.mu.Unlock()
		wg.Wait()
	})
	return s
}

// Publish implements load.Publisher.
func (s *server) Publish(_ context.Context, topic subject.Topic, data [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range data {
		s.log = append(s.log, event.Event{Topic: topic, Type: event.DefaultType, Data: d})
	}
	close(s.more)
	s.more = make(chan struct{})
	return nil
}

// Settle implements load.Publisher.
func (s *server) Settle(context.Context) load.Acks {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a load.Acks
	for ; s.settled < len(s.log); s.settled++ {
		a.Seqs = append(a.Seqs, uint64(s.settled+1))
	}
	if s.fault == "unacknowledged" && len(a.Seqs) > 0 {
		a.Seqs[len(a.Seqs)-1], a.Failed, a.FailedBy = 0, 1, errors.New("no leader")
	}
	return a
}

// since is the log behind a position, and a channel that is closed when there is
// more; nil when the server stops.
func (s *server) since(seq uint64) ([]event.Event, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, nil
	}
	return s.log[seq:], s.more
}

// serve answers one request.
func (s *server) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(io.LimitReader(c, 64<<10))
	req, err := http.ReadRequest(r)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	}
	p := &peer{s: s, conn: c, ws: req.URL.Path == "/v1/ws"}
	if status := p.refusal(req); status != 0 && s.fault != "admits" {
		fmt.Fprintf(c, "HTTP/1.1 %d No\r\n\r\n", status)
		return
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	if p.ws {
		sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	}
	_, _ = io.WriteString(c, head)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.listen(r)
		c.Close() // which ends a write that is stuck
	}()
	p.stream(req, gone)
	c.Close()
	<-gone
}

// peer is the server's end of one stream.
type peer struct {
	s       *server
	conn    net.Conn
	ws      bool
	pattern string
	sent    int
	held    *event.Event
}

// refusal is the status of a request that is none.
func (p *peer) refusal(req *http.Request) int {
	q := req.URL.Query()
	p.pattern = strings.TrimPrefix(q.Get("topics"), "user,")
	_, err := event.ParseCursor(cursorOf(req))
	switch {
	case !strings.HasPrefix(req.Header.Get("Authorization"), "Bearer good-"):
		return http.StatusUnauthorized
	case strings.Contains(p.pattern, "others"):
		return http.StatusForbidden
	case cursorOf(req) != "" && err != nil:
		return http.StatusBadRequest
	case p.ws && (req.Header.Get("Sec-WebSocket-Version") != "13" || req.Header.Get("Sec-WebSocket-Key") == ""):
		return http.StatusBadRequest
	}
	return 0
}

// cursorOf is the cursor of a request.
func cursorOf(req *http.Request) string {
	if id := req.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	return req.URL.Query().Get("cursor")
}

// listen reads what the client says until it is gone. Only a close frame is
// expected; a frame without a mask, or of another kind, ends the stream too.
func (p *peer) listen(r *bufio.Reader) {
	var head [2]byte
	if !p.ws {
		_, _ = io.Copy(io.Discard, r)
	} else if _, err := io.ReadFull(r, head[:]); err == nil && head == [2]byte{0x88, 0x82} {
		_, _ = p.conn.Write([]byte("\x88\x02\x03\xe8"))
	}
}

// stream sends the log from the request's cursor on, or from now on.
func (p *peer) stream(req *http.Request, gone <-chan struct{}) {
	all, _ := p.s.since(0)
	at := uint64(len(all))
	if c, err := event.ParseCursor(cursorOf(req)); err == nil {
		at = p.resume(c.Seq, at)
	}
	p.say(fmt.Sprintf(`{"type":"tidings.hello","data":{"resumed":%v},"cursor":"%s-%d"}`, cursorOf(req) != "", epoch, at), "tidings.hello", at)
	for {
		list, more := p.s.since(at)
		for _, e := range list {
			at++
			if p.matches(string(e.Topic)) && !p.event(e, at) {
				return
			}
		}
		if more == nil {
			return
		}
		select {
		case <-more:
		case <-gone:
			return
		}
	}
}

// resume is where a stream resumes.
func (p *peer) resume(cursor, last uint64) uint64 {
	switch {
	case p.s.fault == "forgets":
		p.s.made.Add(last - cursor)
		return last
	case p.s.fault == "repeats" && cursor > 0:
		return cursor - 1
	}
	return cursor
}

func (p *peer) matches(topic string) bool {
	prefix, all := strings.CutSuffix(p.pattern, "*")
	return topic == p.pattern || all && strings.HasPrefix(topic, prefix)
}

// event sends one event, or does what it should not.
func (p *peer) event(e event.Event, at uint64) bool {
	p.sent++
	if at%faulty == 0 {
		switch p.s.fault {
		case "loses":
			return true
		case "doubles":
			p.write(e, at)
		case "swaps":
			p.held = &e
			return true
		case "strays":
			e.Data = []byte(strings.Replace(string(e.Data), fmt.Sprintf(":%08x:", at-1), fmt.Sprintf(":%08x:", at+1000), 1))
		case "gaps":
			p.say(`{"type":"tidings.gap","data":{}}`, "tidings.gap", 0)
		case "cuts":
			if p.sent >= 3 {
				return false
			}
		}
	}
	p.write(e, at)
	if p.held != nil {
		p.write(*p.held, at)
		p.held = nil
	}
	return true
}

func (p *peer) write(e event.Event, at uint64) {
	c := event.Cursor{Epoch: epoch, Seq: at}
	if p.ws {
		p.frame(e.AppendJSONCursor(nil, c))
		return
	}
	_, _ = p.conn.Write(e.AppendSSE(nil, c))
}

// say sends a control event; at is its id, 0 for none.
func (p *peer) say(body, kind string, at uint64) {
	id := ""
	if kind == "tidings.hello" {
		id = fmt.Sprintf("id: %s-%d\n", epoch, at)
	}
	if p.ws {
		p.frame([]byte(body))
		return
	}
	_, _ = fmt.Fprintf(p.conn, "%sevent: %s\ndata: {}\n\n", id, kind)
}

// frame writes a WebSocket message.
func (p *peer) frame(payload []byte) {
	b := []byte{0x81, byte(len(payload))}
	if len(payload) > 125 {
		b = binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(payload)))
	}
	_, _ = p.conn.Write(append(b, payload...))
}
