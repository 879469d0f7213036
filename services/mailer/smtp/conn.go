package smtp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	client "github.com/wneessen/go-mail/smtp"
)

const (
	// answerTimeout is how long the answer to a whole mail may take. RFC 5321 allows ten
	// minutes, since giving up leaves it unknown; a worker's attempt ends earlier.
	answerTimeout = 5 * time.Minute
	// quitTimeout is how long a good-bye may take.
	quitTimeout = 2 * time.Second
	// maxPassword bounds the bytes of a file with a password or a token.
	maxPassword = 16 << 10
)

var (
	errNoTLS   = errors.New("the login is not sent, since the connection is not encrypted")
	errNoLogin = errors.New("the server offers no login that is configured")
	errNoUTF8  = errors.New("the server takes no addresses outside ASCII")
)

// conn is one connection. It is used by one goroutine at a time.
type conn struct {
	p       Provider
	c       *client.Client
	raw     net.Conn    // what c speaks over, below TLS
	stop    func() bool // ends the guard of dial
	secrets []string
	timeout time.Duration // of a command
	sent    int           // mails so far
	idle    time.Time     // since when it is
}

// dial connects, encrypts and logs in.
func dial(ctx context.Context, p Provider, cfg Config) (*conn, *Error) {
	n := &conn{p: p, timeout: cfg.CommandTimeout}
	m, err := n.dialer(ctx, cfg)
	if err != nil {
		return nil, newError(p.Name, Connect, err, hidden{})
	}
	stage := Connect
	n.c, err = m.DialToSMTPClientWithContext(ctx)
	if err == nil {
		stage, err = Login, n.login()
	}
	if n.stop != nil && !n.stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		n.discard() // go-mail leaves it open
		return nil, newError(p.Name, stage, err, hidden{secrets: n.secrets})
	}
	return n, nil
}

// dialer returns go-mail's client, which only connects: no login, so that nothing
// secret is said before it is known who listens.
func (n *conn) dialer(ctx context.Context, cfg Config) (*mail.Client, error) {
	p := n.p
	policy := map[TLS]mail.TLSPolicy{TLSRequired: mail.TLSMandatory, TLSOptional: mail.TLSOpportunistic, TLSNone: mail.NoTLS}[p.TLS]
	config := &tls.Config{ServerName: p.Host, RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12}
	options := []mail.Option{
		mail.WithPort(p.Port), mail.WithTLSPolicy(policy), mail.WithTLSConfig(config), mail.WithTimeout(cfg.DialTimeout),
		mail.WithHELO(cfg.Hello), mail.WithoutNoop(),
		mail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
			raw, err := (&net.Dialer{}).DialContext(dialing, network, address)
			if err != nil {
				return nil, err
			}
			// go-mail itself heeds no context from here on.
			n.raw = raw
			n.stop = n.guard(ctx)
			if !p.Implicit {
				return raw, nil
			}
			c := tls.Client(raw, config) // go-mail looks at the type to know that it is encrypted
			if err := c.HandshakeContext(dialing); err != nil {
				return nil, err
			}
			return c, nil
		}),
	}
	if p.Implicit {
		options = append(options, mail.WithSSL())
	}
	return mail.NewClient(p.Host, options...)
}

// guard ends the connection when ctx does. What waits for the server returns then.
func (n *conn) guard(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = n.raw.Close() })
}

// login proves who we are, over an encrypted connection only.
func (n *conn) login() error {
	if n.p.User == "" {
		return nil
	}
	if _, err := n.c.GetTLSConnectionState(); err != nil {
		return errNoTLS
	}
	password, err := n.password()
	if err != nil {
		return err
	}
	encode := base64.StdEncoding.EncodeToString
	n.secrets = []string{
		password, encode([]byte(password)), encode([]byte("\x00" + n.p.User + "\x00" + password)),
		encode([]byte("user=" + n.p.User + "\x01auth=Bearer " + password + "\x01\x01")),
	}
	_, offered := n.c.Extension("AUTH")
	auth, err := n.p.mechanism(strings.Fields(offered), password)
	if err != nil {
		return err
	}
	return n.c.Auth(auth)
}

// mechanism chooses how to log in.
func (p Provider) mechanism(offered []string, password string) (client.Auth, error) {
	wanted := []string{authSCRAM256, authPlain, authLogin, authCRAM, authSCRAM1}
	if p.Auth != authAuto {
		wanted = []string{p.Auth}
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(offered, func(s string) bool { return strings.EqualFold(s, name) }) {
			continue
		}
		switch name {
		case authSCRAM256:
			return client.ScramSHA256Auth(p.User, password), nil
		case authSCRAM1:
			return client.ScramSHA1Auth(p.User, password), nil
		case authPlain:
			return client.PlainAuth("", p.User, password, p.Host, false), nil
		case authLogin:
			return client.LoginAuth(p.User, password, p.Host, false), nil
		case authCRAM:
			return client.CRAMMD5Auth(p.User, password), nil
		case authXOAUTH2:
			return client.XOAuth2Auth(p.User, password), nil
		}
	}
	return nil, errNoLogin
}

// password returns the password or token as it is now.
func (n *conn) password() (string, error) {
	if n.p.PasswordFile == "" {
		return n.p.Password.Reveal(), nil
	}
	f, err := os.Open(n.p.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("passfile: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword+1))
	if err != nil {
		return "", fmt.Errorf("passfile: %w", err)
	}
	password := strings.TrimRight(string(b), "\r\n")
	if len(b) > maxPassword || password == "" || strings.ContainsAny(password, "\x00\r\n") {
		return "", fmt.Errorf("passfile: it must hold one line of 1 to %d bytes", maxPassword)
	}
	return password, nil
}

// transact sends one mail and returns what the server said to it. After an error the
// connection is of use only if the verdict doesn't say that it is broken.
func (n *conn) transact(ctx context.Context, m Mail) (answer string, e *Error) {
	stop := n.guard(ctx)
	defer func() {
		if !stop() {
			n.sent = n.p.Messages // it is closed; whatever came of the mail, it is the last
		}
	}()
	international := !isASCII(m.From) || !isASCII(m.To)
	if ok, _ := n.c.Extension("SMTPUTF8"); international && !ok {
		return "", newError(n.p.Name, To, errNoUTF8, hidden{})
	}
	n.c.SkipSMTPUTF8(!international)
	var w io.WriteCloser
	steps := []struct {
		stage Stage
		wait  time.Duration
		do    func() error
	}{
		{From, n.timeout, func() error { return n.c.Mail("<" + m.From + ">") }},
		{To, n.timeout, func() error { return n.c.Rcpt("<" + m.To + ">") }},
		{Data, n.timeout, func() (err error) { w, err = n.c.Data(); return err }},
		{Body, answerTimeout, func() error { _, err := w.Write(m.Data); return err }},
		{End, answerTimeout, func() error { return w.Close() }},
	}
	for _, s := range steps {
		if err := n.raw.SetDeadline(time.Now().Add(s.wait)); err != nil {
			return "", newError(n.p.Name, s.stage, err, hidden{})
		}
		if err := s.do(); err != nil {
			return "", newError(n.p.Name, s.stage, err, hidden{m.To, n.secrets})
		}
	}
	n.sent++
	if d, ok := w.(*client.DataCloser); ok {
		answer = hidden{m.To, n.secrets}.clean(d.ServerResponse())
	}
	return answer, nil
}

// reset ends a transaction that the server refused a part of, and says whether the
// connection is good for another one.
func (n *conn) reset() bool {
	return n.raw.SetDeadline(time.Now().Add(n.timeout)) == nil && n.c.Reset() == nil
}

// quit closes the connection with a good-bye. It must not be called inside of a mail.
func (n *conn) quit() {
	if n.raw.SetDeadline(time.Now().Add(quitTimeout)) == nil {
		_ = n.c.Quit()
	}
	n.discard()
}

// discard closes the connection without another word: a command would end a mail that
// was only half sent, and the half would be delivered.
func (n *conn) discard() {
	if n.raw != nil {
		_ = n.raw.Close()
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
