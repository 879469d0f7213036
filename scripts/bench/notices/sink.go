package notices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	// maxMail bounds a mail; those of the bench have some KiB.
	maxMail = 1 << 20
	// sinkTime bounds the wait for a command, and for an answer to be taken.
	sinkTime = 5 * time.Minute
)

// Sink is an SMTP server on this machine that takes every mail and enters it into its
// books. Make one with NewSink and close it.
type Sink struct {
	server *smtp.Server
	listen net.Listener
	ended  chan error
}

// NewSink opens a sink on a free port.
func NewSink(ctx context.Context, books *Books) (*Sink, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the mails' sink: %w", err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{books: books}, nil }))
	s.Domain, s.MaxMessageBytes, s.MaxRecipients, s.ReadTimeout, s.WriteTimeout = "sink.example", maxMail, 1, sinkTime, sinkTime
	s.ErrorLog = log.New(io.Discard, "", 0) // connections that are cut in the end
	k := &Sink{server: s, listen: l, ended: make(chan error, 1)}
	go func() { k.ended <- s.Serve(l) }()
	return k, nil
}

// Addr is where it listens, host:port.
func (k *Sink) Addr() string { return k.listen.Addr().String() }

// URL is what a mailer is given to send here over so many connections.
func (k *Sink) URL(conns int) string {
	return fmt.Sprintf("smtp://%s?tls=none&conns=%d", k.Addr(), conns)
}

// Close cuts the connections.
func (k *Sink) Close() error {
	err := k.server.Close()
	if served := <-k.ended; served != nil && !errors.Is(served, smtp.ErrServerClosed) && !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("the mails' sink: %w", err)
	}
	return nil
}

// session is one connection.
type session struct {
	books *Books
	to    string
	mail  bytes.Buffer
}

// Mail implements smtp.Session.
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	s.mail.Reset()
	n, err := s.mail.ReadFrom(r)
	if err != nil {
		return err
	}
	head, _, _ := bytes.Cut(s.mail.Bytes(), []byte("\r\n\r\n"))
	s.books.mail(field(head, "Message-ID"), field(head, "Subject"), s.to, int(n))
	return nil
}

// field returns a header's value, "" if there is none. Those that are looked for are
// short enough to be on one line.
func field(head []byte, name string) string {
	for line := range bytes.Lines(head) {
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name) {
			return string(bytes.TrimSpace(line[len(name)+1:]))
		}
	}
	return ""
}

// Reset implements smtp.Session.
func (s *session) Reset() {}

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }
