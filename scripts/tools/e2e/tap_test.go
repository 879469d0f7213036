package e2e_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// tap is a wire to a process that notes what goes over it. It changes nothing and
// holds nothing back, so that a client at its other end is as good as connected to
// the process, and in the end it tells what the process really sent.
type tap struct {
	t        *testing.T
	url      string
	listener net.Listener

	wg    sync.WaitGroup
	mu    sync.Mutex
	calls []*call
}

// call is one connection.
type call struct{ asked, answered transcript }

// newTap returns an end for clients, which hear nothing before connect.
func newTap(t *testing.T) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &tap{t: t, listener: l, url: "http://" + l.Addr().String()}
	t.Cleanup(func() {
		l.Close()
		a.wg.Wait() // for calls that end with their client and their process
	})
	return a
}

// connect takes calls to the process from now on.
func (a *tap) connect(p *process) {
	address := strings.TrimPrefix(p.url, "http://")
	a.wg.Go(func() {
		for {
			client, err := a.listener.Accept()
			if err != nil {
				return // it was closed
			}
			c := &call{}
			a.mu.Lock()
			a.calls = append(a.calls, c)
			a.mu.Unlock()
			a.wg.Go(func() { c.relay(client.(*net.TCPConn), address) })
		}
	})
}

// relay passes on what either side says until both have ended.
func (c *call) relay(client *net.TCPConn, address string) {
	defer client.Close()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return // the client sees its connection end
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	var wg sync.WaitGroup
	pass := func(to, from *net.TCPConn, note io.Writer) {
		// It ends with either side. The end is passed on as well: without it the other
		// direction would wait for ever.
		_, _ = io.Copy(to, io.TeeReader(from, note))
		_ = to.CloseWrite()
	}
	wg.Go(func() { pass(server, client, &c.asked) })
	wg.Go(func() { pass(client, server, &c.answered) })
	wg.Wait()
}

// judge fails the test unless there were this many streams, each compressed and
// each, from its first byte to its last, one valid gzip file in one complete body.
// All must have ended.
func (a *tap) judge(streams int) {
	a.t.Helper()
	a.mu.Lock()
	calls := a.calls
	a.mu.Unlock()
	if len(calls) != streams {
		a.t.Errorf("there were %d connections, want %d", len(calls), streams)
	}
	for _, c := range calls {
		if err := c.judge(); err != nil {
			a.t.Errorf("what the process sent is not right: %v; it was asked\n%s", err, c.asked.String())
		}
	}
}

func (c *call) judge() error {
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.asked.String())))
	if err != nil {
		return err
	}
	if !strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
		return errors.New("the client did not ask for gzip")
	}
	raw := bufio.NewReader(strings.NewReader(c.answered.String()))
	resp, err := http.ReadResponse(raw, req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "gzip" {
		return errors.New("the answer is a " + resp.Status + " with the encoding " + resp.Header.Get("Content-Encoding"))
	}
	if resp.Proto != req.Proto {
		return errors.New("the answer to " + req.Proto + " is " + resp.Proto)
	}
	body, err := io.ReadAll(resp.Body) // fails for a body without its last chunk
	if err != nil {
		return err
	}
	file := bytes.NewReader(body) // a ByteReader, of which gzip takes no more than it needs
	z, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	z.Multistream(false) // browsers stop after the first one
	text, err := io.ReadAll(z)
	switch {
	case err != nil: // the checksum and the length among others
		return err
	case file.Len() > 0 || raw.Buffered() > 0:
		return errors.New("more comes after the end")
	case len(text) <= len(body):
		return errors.New("nothing was compressed")
	}
	return nil
}
