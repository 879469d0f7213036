package main_test

import (
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// stage is a place at which a post office may misbehave.
type stage string

// The stages.
const (
	atRcpt stage = "RCPT" // of says the address
	atBody stage = "DATA" // before the end of the mail, of says nothing
	atEnd  stage = "end"  // the mail is read and not yet kept, of says the mail's key
	atKept stage = "kept" // it is kept, and that is not yet said
)

// trouble is what a post office does instead of what it should.
type trouble struct {
	drop bool            // closes the connection without a word
	say  *smtp.SMTPError // or answers so
	// until holds everything up until it is closed.
	until <-chan struct{}
}

// refusal makes a trouble of an answer.
func refusal(code int, enhanced smtp.EnhancedCode, text string) *trouble {
	return &trouble{say: &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}}
}

// letter is a copy of a mail that a post office has kept.
type letter struct {
	to, subject string
	at          time.Time
}

// postOffice is a mail server that keeps what it takes and misbehaves by a plan.
type postOffice struct {
	t    testing.TB
	addr string
	// plan is asked at each stage; n counts from 1 how often about the same. nil is fine.
	plan func(at stage, of string, n int) *trouble
	// busy says which connections are turned away with 421, counted from 1.
	busy func(n int) bool

	mu    sync.Mutex
	asked map[string]int      // by stage and what it is about
	kept  map[string][]letter // by the mail's key, the left half of its Message-ID
	count int                 // of all letters
	did   map[string]int      // how often it misbehaved, by what it did
	conns int
	close func() // ends what open began
}

// newPostOffice opens one on a free port. It closes with the test.
func newPostOffice(t testing.TB) *postOffice {
	t.Helper()
	o := &postOffice{
		t: t, addr: address(freePort(t)), asked: map[string]int{}, kept: map[string][]letter{}, did: map[string]int{},
		plan: func(stage, string, int) *trouble { return nil }, busy: func(int) bool { return false }, close: func() {},
	}
	t.Cleanup(func() { o.close() })
	return o
}

// open begins to take mail, again on the same port.
func (o *postOffice) open() *postOffice {
	o.t.Helper()
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		o.t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &counter{o: o, c: c}, nil }))
	s.Domain, s.ErrorLog = "post.test", log.New(io.Discard, "", 0)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(turnstile{l, o}) }) // it ends with Close
	o.close = func() {
		_ = l.Close() // s may not have it yet
		_ = s.Close()
		serving.Wait()
	}
	return o
}

// url returns it as a provider of mails, with so many connections.
func (o *postOffice) url(conns int) string {
	return fmt.Sprintf("smtp://%s?tls=none&name=post&conns=%d&messages=1000", o.addr, conns)
}

// ask asks the plan, and does as it says.
func (o *postOffice) ask(c *smtp.Conn, at stage, of string) error {
	o.mu.Lock()
	o.asked[string(at)+of]++
	n := o.asked[string(at)+of]
	o.mu.Unlock()
	t := o.plan(at, of, n)
	if t == nil {
		return nil
	}
	if t.until != nil {
		<-t.until
	}
	switch {
	case t.drop:
		o.note(string(at) + " lost")
		_ = c.Conn().Close()
		return io.ErrUnexpectedEOF
	case t.say != nil:
		o.note(fmt.Sprint(at, " ", t.say.Code))
		return t.say
	}
	return nil
}

// note counts what it did.
func (o *postOffice) note(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.did[what]++
}

// letters returns how many copies of mails it keeps.
func (o *postOffice) letters() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count
}

// read returns how often a mail was read to its end.
func (o *postOffice) read(key string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[string(atEnd)+key]
}

// keep keeps a copy of a mail.
func (o *postOffice) keep(key string, l letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept[key] = append(o.kept[key], l)
	o.count++
}

// to returns the letters to a user.
func (o *postOffice) to(user string) (list []letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, copies := range o.kept {
		for _, l := range copies {
			if l.to == mailOf(user) {
				list = append(list, l)
			}
		}
	}
	return list
}

// wantOnce: there are so many mails, and one copy of each.
func (o *postOffice) wantOnce(mails int) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.kept) != mails || o.count != mails {
		o.t.Errorf("%d mails arrived in %d copies, want %d once", len(o.kept), o.count, mails)
	}
}

// counter is one conversation.
type counter struct {
	o  *postOffice
	c  *smtp.Conn
	to string
}

func (e *counter) Reset()                               {}
func (e *counter) Logout() error                        { return nil }
func (e *counter) Mail(string, *smtp.MailOptions) error { return nil }
func (e *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	e.to = to
	return e.o.ask(e.c, atRcpt, to)
}

// Data takes a mail.
func (e *counter) Data(r io.Reader) error {
	if err := e.o.ask(e.c, atBody, e.to); err != nil {
		return err
	}
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, m.Body); err != nil {
		return err
	}
	key, _, _ := strings.Cut(strings.TrimPrefix(m.Header.Get("Message-ID"), "<"), "@")
	if err := e.o.ask(e.c, atEnd, key); err != nil {
		return err
	}
	e.o.keep(key, letter{to: e.to, subject: m.Header.Get("Subject"), at: time.Now()})
	return e.o.ask(e.c, atKept, key)
}

// turnstile counts connections, and turns some away.
type turnstile struct {
	net.Listener
	o *postOffice
}

// Accept implements net.Listener.
func (d turnstile) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		d.o.mu.Lock()
		d.o.conns++
		n := d.o.conns
		d.o.mu.Unlock()
		if !d.o.busy(n) {
			return c, nil
		}
		d.o.note("connect 421")
		// Who is turned away may not wait to hear it.
		_, _ = io.WriteString(c, "421 4.3.2 too busy\r\n")
		_ = c.Close()
	}
}

// lot returns a number below n that is always the same for the same text.
func lot(n uint32, text string) uint32 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, text) // it does not fail
	return h.Sum32() % n
}
