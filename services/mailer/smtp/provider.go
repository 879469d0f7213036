package smtp

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tidings/shared/telemetry"
)

// Defaults and bounds of a Provider.
const (
	// DefaultConns is how many connections are kept: providers allow few, and
	// four send some hundred mails a second over a short way.
	DefaultConns = 4
	// MaxConns is more than any provider allows from one address.
	MaxConns = 64
	// DefaultMessages is how many mails go over a connection. Many servers end one after
	// a hundred by themselves, and not politely.
	DefaultMessages = 100
	// MaxMessages bounds the setting.
	MaxMessages = 10_000
	// MaxRate bounds mails a second, as a guard against a slip of the hand.
	MaxRate = 10_000
	// maxProvider bounds the bytes of a provider's URL; tokens of OAuth are long.
	maxProvider = 8 << 10
	// maxName bounds a provider's name, which is a label of metrics.
	maxName = 64
)

// ErrProvider says that the URL of a provider can't be used.
var ErrProvider = errors.New("invalid mail provider")

// TLS says when a connection is encrypted.
type TLS string

// What Provider.TLS may be.
const (
	// TLSRequired refuses a server that doesn't offer STARTTLS.
	TLSRequired TLS = "required"
	// TLSOptional encrypts if the server offers it; without, no login is sent.
	TLSOptional TLS = "optional"
	// TLSNone never encrypts; it is for a server on this machine.
	TLSNone TLS = "none"
)

// Ways to log in, as Provider.Auth names them.
const (
	authAuto      = "auto"
	authPlain     = "plain"
	authLogin     = "login"
	authCRAM      = "cram-md5"
	authSCRAM1    = "scram-sha-1"
	authSCRAM256  = "scram-sha-256"
	authXOAUTH2   = "xoauth2"
	authMechanism = "auto, plain, login, cram-md5, scram-sha-1, scram-sha-256 or xoauth2"
)

// Provider is a server that takes mail for delivery. Make one with Parse.
type Provider struct {
	// Name is what logs, metrics and receipts call it; the host by default.
	Name string
	// Host and Port are where it is.
	Host string
	Port int
	// Implicit says that TLS comes before everything else, as on port 465; TLS is what
	// happens otherwise.
	Implicit bool
	TLS      TLS
	// User is empty if there is no login. Password may be empty if PasswordFile names a
	// file that holds it, which is read for each connection and so may change.
	User         string
	Password     telemetry.Secret
	PasswordFile string
	// Auth is the way to log in, "auto" for the best that the server offers.
	Auth string
	// Rate is the most mails a second, 0 for any number.
	Rate float64
	// Conns is the most connections, Messages how many mails go over each.
	Conns, Messages int
}

// Parse reads a provider's URL:
//
//	smtp://user:password@host:587?auth=plain&tls=required&rate=14&conns=4&messages=100&name=main
//	smtps://user@host:465?passfile=/run/secrets/smtp
//
// Only the host is needed; the port is 587, or 465 for smtps. Errors wrap ErrProvider,
// name the part that is wrong, and never quote the URL.
func Parse(secret telemetry.Secret) (Provider, error) {
	text := secret.Reveal()
	if len(text) > maxProvider {
		return Provider{}, fault("it is over %d bytes", maxProvider)
	}
	u, err := url.Parse(text)
	if err != nil {
		// The reason would quote the URL, password and all.
		return Provider{}, fault("it is no URL; what is not a letter or a digit in a password must be written as %%HH")
	}
	if u.Scheme != "smtp" && u.Scheme != "smtps" {
		return Provider{}, fault("it must begin with smtp:// or smtps://")
	}
	if u.Path != "" && u.Path != "/" || u.Opaque != "" || u.Fragment != "" {
		return Provider{}, fault("nothing but ?settings may follow the host; is a '/' or '#' of the password not written as %%HH?")
	}
	p := Provider{
		Host: u.Hostname(), Port: 587, Implicit: u.Scheme == "smtps", TLS: TLSRequired, Auth: authAuto,
		Conns: DefaultConns, Messages: DefaultMessages,
	}
	if p.Implicit {
		p.Port = 465
	}
	p.User = u.User.Username()
	password, _ := u.User.Password()
	p.Password = telemetry.Secret(password)
	if u.Port() != "" {
		if p.Port, err = strconv.Atoi(u.Port()); err != nil || p.Port < 1 || p.Port > 65535 {
			return Provider{}, fault("the port must be 1 to 65535")
		}
	}
	if err := p.settings(u.RawQuery); err != nil {
		return Provider{}, err
	}
	if p.Name == "" {
		p.Name = p.Host
	}
	return p, p.check()
}

// settings reads what follows the question mark.
func (p *Provider) settings(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fault("its settings can't be read")
	}
	for name, list := range values {
		if len(list) != 1 {
			return fault("the setting %q is given %d times", clean(name, maxName), len(list))
		}
		if err := p.set(name, list[0]); err != nil {
			return err
		}
	}
	return nil
}

// set sets one setting.
func (p *Provider) set(name, value string) (err error) {
	number := func(most int) (n int) {
		if n, err = strconv.Atoi(value); err != nil || n < 1 || n > most {
			err = fault("%s must be 1 to %d", name, most)
		}
		return n
	}
	switch name {
	case "name":
		p.Name = value
	case "auth":
		p.Auth = value
	case "tls":
		p.TLS = TLS(value)
	case "passfile":
		p.PasswordFile = value
	case "conns":
		p.Conns = number(MaxConns)
	case "messages":
		p.Messages = number(MaxMessages)
	case "rate":
		if p.Rate, err = strconv.ParseFloat(value, 64); err != nil || !(p.Rate > 0 && p.Rate <= MaxRate) {
			return fault("rate must be above 0 and at most %d mails a second", MaxRate)
		}
	default:
		return fault("there is no setting %q; there are name, auth, tls, passfile, conns, messages and rate", clean(name, maxName))
	}
	return err
}

// check returns what is wrong with the provider as a whole.
func (p Provider) check() error {
	mechanisms := []string{authAuto, authPlain, authLogin, authCRAM, authSCRAM1, authSCRAM256, authXOAUTH2}
	hasPassword := p.Password != "" || p.PasswordFile != ""
	switch {
	case !isHost(p.Host):
		return fault("there is no host, or it holds what no host's name does")
	case !isName(p.Name):
		return fault("its name must be 1 to %d letters, digits, '.', '-', '_' and ':'", maxName)
	case !slices.Contains(mechanisms, p.Auth):
		return fault("auth must be %s", authMechanism)
	case p.TLS != TLSRequired && p.TLS != TLSOptional && p.TLS != TLSNone:
		return fault("tls must be required, optional or none")
	case p.Implicit && p.TLS != TLSRequired:
		return fault("smtps:// is always encrypted, so tls must be required")
	case p.TLS == TLSNone && !isLoopback(p.Host):
		return fault("tls=none is for a server on this machine only")
	case p.User == "" && (hasPassword || p.Auth != authAuto):
		return fault("there is a password or a way to log in, but no user")
	case p.User != "" && !hasPassword:
		return fault("there is a user, but neither a password nor a passfile")
	case p.Password != "" && p.PasswordFile != "":
		return fault("there are both a password and a passfile")
	case p.User != "" && p.TLS == TLSNone:
		return fault("with tls=none the password would be readable on the wire: leave it away, or use TLS")
	case strings.ContainsAny(p.User+p.Password.Reveal(), "\x00\r\n"):
		return fault("the user or the password holds a line break or a zero byte")
	}
	return nil
}

// isHost says whether s looks like a host's name or an IP address.
func isHost(s string) bool {
	if net.ParseIP(s) != nil {
		return true
	}
	return s != "" && len(s) <= 253 && !strings.ContainsFunc(s, func(r rune) bool {
		return !isLetter(r) && r != '.' && r != '-' && r != '_'
	})
}

// isName says whether s may be a label's value.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !isLetter(r) && !strings.ContainsRune(".-_:", r)
	})
}

func isLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isLoopback says whether a host is this machine, by its name alone.
func isLoopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

func fault(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProvider, fmt.Sprintf(format, args...))
}
