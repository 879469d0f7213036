package e2e_test

import (
	"net"
	"sync"
	"sync/atomic"
)

// wires is a listener that knows its connections, so that a test can break them.
type wires struct {
	net.Listener

	mu   sync.Mutex
	open map[*wire]bool
}

// Accept implements net.Listener.
func (l *wires) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[w] = true
	return w, nil
}

// each does something to all connections of now.
func (l *wires) each(do func(*wire)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.open {
		do(w)
	}
}

// cut hangs up on everyone.
func (l *wires) cut() { l.each(func(w *wire) { w.Conn.Close() }) }

// forget is what a router does that was restarted, or a network that was left: the
// connections stay open, and nothing passes any more.
func (l *wires) forget() { l.each(func(w *wire) { w.lost.Store(true) }) }

// wire is one connection.
type wire struct {
	net.Conn
	of   *wires
	lost atomic.Bool
}

// Read implements net.Conn.
func (w *wire) Read(b []byte) (int, error) {
	for {
		n, err := w.Conn.Read(b)
		if err != nil || !w.lost.Load() {
			return n, err
		}
	}
}

// Write implements net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	if w.lost.Load() {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.of.mu.Lock()
	delete(w.of.open, w)
	w.of.mu.Unlock()
	return w.Conn.Close()
}
