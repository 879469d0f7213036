package bounce

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// DefaultConns bounds connections: each may hold dsn.MaxMessage bytes.
	DefaultConns = 32
	// DefaultConnsPerIP bounds those of one address, so that one server that sends
	// thousands of reports at once leaves room for others.
	DefaultConnsPerIP = 8
	// connTime bounds a connection, whatever is sent over it.
	connTime = 10 * time.Minute
	// goodbyeTime is how long an answer may take to a connection that is turned away.
	goodbyeTime = time.Second
	// full is what it is told.
	full = "421 4.3.2 Too many connections\r\n"
)

// gate is a listener that lets so many connections in and ends each after some time.
type gate struct {
	net.Listener
	most, mostPerIP int

	mu    sync.Mutex
	conns map[*visitor]struct{} // guarded by mu, as is perIP
	perIP map[string]int
	ended bool // no more are let in
}

func newGate(l net.Listener, most, mostPerIP int) *gate {
	if most <= 0 {
		most = DefaultConns
	}
	if mostPerIP <= 0 {
		mostPerIP = DefaultConnsPerIP
	}
	return &gate{Listener: l, most: most, mostPerIP: mostPerIP, conns: map[*visitor]struct{}{}, perIP: map[string]int{}}
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err // it is a net.Listener's
		}
		if v := g.admit(c); v != nil {
			return v, nil
		}
		// It fits into the socket's buffer, so nobody waits; the deadline is for the odd
		// case. What a stranger does not read is no error of ours.
		_ = c.SetWriteDeadline(time.Now().Add(goodbyeTime))
		_, _ = io.WriteString(c, full)
		_ = c.Close()
	}
}

// admit lets a connection in, or returns nil.
func (g *gate) admit(c net.Conn) *visitor {
	ip := ""
	if addr, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		ip = addr.IP.String()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended || len(g.conns) >= g.most || ip != "" && g.perIP[ip] >= g.mostPerIP {
		return nil
	}
	v := &visitor{Conn: c, gate: g, ip: ip, until: time.Now().Add(connTime)}
	g.conns[v] = struct{}{}
	g.perIP[ip]++
	return v
}

// end lets nobody in any more and wakes those that are idle.
func (g *gate) end() {
	g.mu.Lock()
	g.ended = true
	conns := make([]*visitor, 0, len(g.conns))
	for v := range g.conns {
		conns = append(conns, v)
	}
	g.mu.Unlock()
	for _, v := range conns {
		v.hurry()
	}
}

// visitor is a connection that was let in.
type visitor struct {
	net.Conn
	gate *gate
	ip   string

	mu    sync.Mutex
	until time.Time // no deadline is later; guarded by mu
	left  bool      // guarded by mu
}

// hurry ends reading now and writing soon.
func (v *visitor) hurry() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.until = time.Now()
	// A connection that is closed already has no deadlines.
	_ = v.Conn.SetReadDeadline(v.until)
	_ = v.Conn.SetWriteDeadline(v.until.Add(goodbyeTime))
}

// capped returns the deadline that is allowed; zero means none.
func (v *visitor) capped(t time.Time) time.Time {
	if t.IsZero() || t.After(v.until) {
		return v.until
	}
	return t
}

// SetDeadline implements net.Conn.
func (v *visitor) SetDeadline(t time.Time) error {
	return errors.Join(v.SetReadDeadline(t), v.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (v *visitor) SetReadDeadline(t time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.Conn.SetReadDeadline(v.capped(t)); err != nil {
		return fmt.Errorf("read deadline: %w", err)
	}
	return nil
}

// SetWriteDeadline implements net.Conn. The last answer may come a little after the end.
func (v *visitor) SetWriteDeadline(t time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if last := v.until.Add(goodbyeTime); t.IsZero() || t.After(last) {
		t = last
	}
	if err := v.Conn.SetWriteDeadline(t); err != nil {
		return fmt.Errorf("write deadline: %w", err)
	}
	return nil
}

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.mu.Lock()
	first := !v.left
	v.left = true
	v.mu.Unlock()
	if first {
		g := v.gate
		g.mu.Lock()
		delete(g.conns, v)
		if g.perIP[v.ip]--; g.perIP[v.ip] <= 0 {
			delete(g.perIP, v.ip)
		}
		g.mu.Unlock()
	}
	return v.Conn.Close() // it is a net.Conn's
}
