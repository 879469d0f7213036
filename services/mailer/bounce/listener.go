package bounce

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"tidings/services/mailer/bounce/dsn"
)

const (
	// maxRecipients of one message: a report goes to one return path.
	maxRecipients = 10
	// maxMails bounds the messages of one connection. A busy server makes a new one.
	maxMails = 100
	// maxSize is the largest message in bytes that is taken. Large mails come back whole
	// from some servers; only the first dsn.MaxMessage bytes are looked at.
	maxSize = 25 << 20
	// commandTime bounds the wait for a command, for a whole message and for an answer
	// that nobody reads.
	commandTime = time.Minute
	// stopTime is how long Run waits for messages that are being applied.
	stopTime = applyTime + 5*time.Second
	// unixPrefix begins an address that is the path of a socket.
	unixPrefix = "unix:"
)

// SMTP is a listener for returned mail.
type SMTP struct {
	// Listen is host:port, or "unix:" and the path of a socket.
	Listen string
	// LMTP speaks LMTP (RFC 2033), as a mail server on this machine prefers to.
	LMTP bool
	// TLS allows STARTTLS, if not nil.
	TLS *tls.Config
	// MaxConns and MaxConnsPerIP bound connections; 0 means DefaultConns and
	// DefaultConnsPerIP.
	MaxConns, MaxConnsPerIP int
}

// listener serves one SMTP.
type listener struct {
	gate   *gate
	server *smtp.Server
}

// listen opens the listener, so that its address is known before it serves.
func listen(cfg SMTP, d *desk) (*listener, error) {
	network, address := "tcp", cfg.Listen
	if path, ok := strings.CutPrefix(cfg.Listen, unixPrefix); ok {
		network, address = "unix", path
		// A socket that a killed process left behind; another file is not touched.
		if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			_ = os.Remove(path) // if that fails, listening says why
		}
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), network, address)
	if err != nil {
		return nil, fmt.Errorf("bounce: listen for mail: %w", err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{desk: d}, nil
	}))
	s.LMTP, s.TLSConfig, s.Domain = cfg.LMTP, cfg.TLS, d.seals.Domain()
	s.MaxRecipients, s.MaxMessageBytes = maxRecipients, maxSize
	s.ReadTimeout, s.WriteTimeout = commandTime, commandTime
	s.EnableSMTPUTF8 = true // reports about addresses with such letters need it
	s.ErrorLog = quiet{d}
	return &listener{newGate(l, cfg.MaxConns, cfg.MaxConnsPerIP), s}, nil
}

// run serves until ctx ends, and returns when all connections have ended. Messages that
// are being applied are finished; the others come again.
func (l *listener) run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(l.gate) }()
	select {
	case err := <-served:
		return fmt.Errorf("bounce: serve mail: %w", errors.Join(err, l.gate.Close()))
	case <-ctx.Done():
	}
	// Shutdown waits for connections to become idle and then to end, so they have to be
	// woken: those that wait for a command end at once.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		l.gate.end()
	}()
	err := l.server.Shutdown(within)
	<-woken
	err = errors.Join(err, <-served)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("bounce: stop serving mail: %w", err)
	}
	return nil
}

// session is one connection's. It is used by the connection's goroutine alone.
type session struct {
	desk  *desk
	mails int
	rcpts []string
}

// refused is an answer that stays.
func refused(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.rcpts = nil }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

// Mail implements smtp.Session. Reports come from nobody, complaints from somebody;
// neither proves anything.
func (s *session) Mail(string, *smtp.MailOptions) error {
	if s.mails++; s.mails > maxMails {
		return refused(421, smtp.EnhancedCode{4, 7, 0}, "Too many messages; connect again")
	}
	return nil
}

// Rcpt implements smtp.Session. Whatever we did not make is not here.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if !s.desk.seals.Known(to) {
		return refused(550, smtp.EnhancedCode{5, 1, 1}, "No such address here")
	}
	s.rcpts = append(s.rcpts, to)
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, dsn.MaxMessage))
	if err != nil {
		return err // go-smtp answers with its own error
	}
	// Not ended by the end of Run: what was taken in is worth finishing.
	if err := s.desk.mail(context.Background(), bySMTP, data, s.rcpts); err != nil {
		s.desk.log.Warn("a returned mail could not be applied; its sender will try again", "err", err)
		return refused(451, smtp.EnhancedCode{4, 3, 0}, "Not now; try again later")
	}
	return nil
}

// quiet is the log of go-smtp: what strangers do wrong is not our operators' concern.
type quiet struct{ desk *desk }

// Printf implements smtp.Logger.
func (q quiet) Printf(format string, v ...any) {
	level := q.desk.log.Debug
	if strings.HasPrefix(format, "panic") {
		level = q.desk.log.Error
	}
	level("smtp: "+dsn.Cut(fmt.Sprintf(format, v...), 4*dsn.MaxText), "intake", bySMTP)
}

// Println implements smtp.Logger.
func (q quiet) Println(v ...any) { q.Printf("%s", fmt.Sprint(v...)) }
