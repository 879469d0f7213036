package mailbox

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// gate is the listener: it turns connections away that are too many, or that meet a
// fault, and knows those that are open.
type gate struct {
	net.Listener
	max   int
	greet func() *verdict // of a new connection; nil lets it in
	close func() error

	mu   sync.Mutex
	open map[*wire]struct{}
}

// newGate returns a gate that lets max connections in at once.
func newGate(l net.Listener, most int, greet func() *verdict) *gate {
	return &gate{Listener: l, max: most, greet: greet, close: sync.OnceValue(l.Close), open: map[*wire]struct{}{}}
}

// Accept implements net.Listener: it returns the next connection that is let in.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		v := g.greet()
		if v == nil {
			if w := g.enter(c); w != nil {
				return w, nil
			}
			v = &verdict{stage: StageConnect, code: 421, text: "Too many connections"}
		}
		turnAway(c, v)
	}
}

// Close stops listening. It may be called again.
func (g *gate) Close() error { return g.close() }

// enter makes c one of those that are open; nil if there are too many.
func (g *gate) enter(c net.Conn) *wire {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.open) >= g.max {
		return nil
	}
	w := &wire{Conn: c, gate: g, end: time.Now().Add(lifeTime)}
	g.open[w] = struct{}{}
	return w
}

// count is how many are open.
func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open)
}

// cut closes those that are open.
func (g *gate) cut() {
	g.mu.Lock()
	var all []*wire
	for w := range g.open {
		all = append(all, w)
	}
	g.mu.Unlock()
	for _, w := range all {
		_ = w.Close()
	}
}

// turnAway says no in place of a greeting. A fresh socket takes one line at once.
func turnAway(c net.Conn, v *verdict) {
	defer c.Close()
	if v.code != 0 {
		_ = c.SetWriteDeadline(time.Now().Add(writeTime))
		// A client that is gone already needs no answer.
		_, _ = fmt.Fprintf(c, "%d %s\r\n", v.code, v.text)
	}
}

// wire is an open connection.
type wire struct {
	net.Conn
	gate *gate
	end  time.Time   // of its life
	last atomic.Bool // the next answer is the last one
	once sync.Once
}

// wireOf returns the wire of a conversation.
func wireOf(c *smtp.Conn) *wire {
	conn := c.Conn()
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	w, _ := conn.(*wire)
	return w
}

// Write implements net.Conn. go-smtp writes an answer of one line at once.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if w.last.Load() {
		_ = w.Close()
	}
	return n, err
}

// SetReadDeadline implements net.Conn. No deadline is later than the end.
func (w *wire) SetReadDeadline(t time.Time) error {
	if t.IsZero() || t.After(w.end) {
		return w.Conn.SetReadDeadline(w.end)
	}
	return w.Conn.SetReadDeadline(t)
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.once.Do(func() {
		w.gate.mu.Lock()
		delete(w.gate.open, w)
		w.gate.mu.Unlock()
	})
	return w.Conn.Close()
}
