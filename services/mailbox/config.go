package mailbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"tidings/shared/auth"
	"tidings/shared/mesh"
)

// Defaults of Config.
const (
	// DefaultAddr is where SMTP listens: the port that such mailboxes usually have.
	DefaultAddr = "127.0.0.1:1025"
	// DefaultKeep is how many mails are kept: more than anybody scrolls through.
	DefaultKeep = 500
	// DefaultBytes bounds the mails that are kept, all together, in bytes.
	DefaultBytes = 64 << 20
	// DefaultMaxMail bounds one mail in bytes. Notifications have a hundredth of it; the
	// rest is room for somebody's attachment.
	DefaultMaxMail = 10 << 20
	// DefaultMaxConns bounds the connections at once. With the largest mail in each, they
	// take 320 MiB.
	DefaultMaxConns = 32
)

// Bounds that nobody needs to change.
const (
	// idleTime is how long a client may say nothing, and also how long a mail may take to
	// arrive: what RFC 5321 asks of servers, so pooled connections stay.
	idleTime = 5 * time.Minute
	// lifeTime bounds a connection as a whole; a client that is busy for so long can
	// connect again.
	lifeTime = 30 * time.Minute
	// writeTime is how long a client may take to read an answer.
	writeTime = 10 * time.Second
	// stopTime bounds the wait for connections that were cut.
	stopTime = 5 * time.Second
	// maxRecipients bounds the recipients of one mail. Tidings sends to one.
	maxRecipients = 100
	// maxLine bounds a line in bytes. Longer ones than mail may have are taken, since the
	// list of checks shows them.
	maxLine = 64 << 10
	// publishTime bounds one publish, publishQueue those that wait.
	publishTime, publishQueue = 5 * time.Second, 256
)

// Config is what a Mailbox needs to know; only Auth has no default.
type Config struct {
	// Addr is where SMTP listens, host:port; "" means DefaultAddr. Without a host, as
	// in ":0", it is 127.0.0.1: to be reached from elsewhere, name the address.
	Addr string
	// Keep is how many mails are kept, Bytes how many bytes of them, MaxMail the largest
	// mail in bytes, and MaxConns the connections at once; 0 means the default.
	Keep     int
	Bytes    int64
	MaxMail  int64
	MaxConns int
	// Publish tells of a new row of the list: topic Topic, kind Kind, data a Row. It is
	// called by one goroutine, with a deadline. Nil means that nobody is told.
	Publish func(ctx context.Context, topic, kind string, data any) error
	// Auth knows who asks. It must not be nil.
	Auth *auth.Authenticator
	// Mesh is what Run joins, nil for none; Node and Version are told there.
	Mesh          *mesh.Mesh
	Node, Version string
}

// Topic is where new mails are told of, and Kind the type of that event.
const (
	Topic = "room.mailbox"
	Kind  = "mail.received"
)

// complete fills in the defaults and reports all faults.
func (c *Config) complete() error {
	var faults []error
	if c.Addr == "" {
		c.Addr = DefaultAddr
	}
	host, port, err := net.SplitHostPort(c.Addr)
	switch {
	case err != nil:
		faults = append(faults, fmt.Errorf("net.SplitHostPort: %w", err))
	case host == "":
		c.Addr = net.JoinHostPort("127.0.0.1", port)
	}
	if c.Keep < 0 || c.Bytes < 0 || c.MaxMail < 0 || c.MaxConns < 0 {
		faults = append(faults, errors.New("a limit is negative"))
	}
	c.Keep = orDefault(c.Keep, DefaultKeep)
	c.Bytes = orDefault(c.Bytes, DefaultBytes)
	c.MaxMail = orDefault(c.MaxMail, DefaultMaxMail)
	c.MaxConns = orDefault(c.MaxConns, DefaultMaxConns)
	if c.Bytes < c.MaxMail+rowCost {
		faults = append(faults, errors.New("the largest mail would not fit"))
	}
	if c.Auth == nil {
		faults = append(faults, errors.New("there is no Authenticator"))
	}
	return errors.Join(faults...)
}

// orDefault is n, or what stands for 0.
func orDefault[T int | int64](n, standard T) T {
	if n == 0 {
		return standard
	}
	return n
}
