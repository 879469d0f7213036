package churn

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"tidings/scripts/bench/protocol"
	"tidings/scripts/bench/wire"
)

const (
	// strangerEvery is how often a stranger comes, strangersAtOnce how many there are
	// at most.
	strangerEvery   = 50 * time.Millisecond
	strangersAtOnce = 32
	// answerTime bounds the wait for the server to send a stranger away.
	answerTime = 15 * time.Second
	// garbage is how many random bytes some of them send, endless the length of a head
	// that no server should take.
	garbage = 700
	endless = 256 << 10
)

// errAdmitted says that the server did not send a stranger away.
var errAdmitted = errors.New("not refused")

// manner is what a stranger does after its words.
type manner int

// The manners.
const (
	waits    manner = iota // for an answer
	hangsUp                // closes its side, and waits
	vanishes               // cuts the connection
	upgrades               // waits for the upgrade it should get, says more, and must be cut off
)

// stranger is somebody who should not get a stream.
type stranger struct {
	name   string
	manner manner
	words  []byte
	more   []byte // of one who upgrades
}

// strangers sends them, of all kinds in turn.
func (c *crowd) strangers(ctx context.Context, calm <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(uint64(c.ledger.run), 0))
	kinds := c.kinds()
	slots := make(chan struct{}, strangersAtOnce)
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(strangerEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		s, err := kinds[i%len(kinds)](rng)
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-calm:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			c.meet(ctx, s)
		})
	}
}

// kinds are the makers of strangers.
func (c *crowd) kinds() []func(*rand.Rand) (stranger, error) {
	request := func(name, query string, token func(*rand.Rand) (string, error)) func(*rand.Rand) (stranger, error) {
		return func(rng *rand.Rand) (stranger, error) {
			t, err := token(rng)
			return stranger{name: name, words: protocol.Request{Host: c.cfg.Addr, Query: query, Token: t}.Head(c.anyTransport(rng))}, err
		}
	}
	good := func(*rand.Rand) (string, error) { return c.cfg.Token(int(c.users.Add(1)) - 1) }
	raw := func(name string, m manner, words func() []byte) func(*rand.Rand) (stranger, error) {
		return func(*rand.Rand) (stranger, error) { return stranger{name: name, manner: m, words: words()}, nil }
	}
	half := func() []byte {
		return []byte("GET /v1/events?topics=user HTTP/1.1\r\nHost: " + c.cfg.Addr + "\r\nAuthorization: Bea")
	}
	websocket := func(fields string) func() []byte {
		return func() []byte {
			return []byte("GET /v1/ws?topics=user HTTP/1.1\r\nHost: " + c.cfg.Addr + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + fields + "\r\n")
		}
	}
	list := []func(*rand.Rand) (stranger, error){
		raw("random bytes", hangsUp, func() []byte { return noise(garbage) }),
		raw("a TLS handshake", hangsUp, func() []byte {
			return append([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), noise(garbage)...)
		}),
		request("a forged token", "topics=user", func(rng *rand.Rand) (string, error) { return c.cfg.Forged[rng.IntN(len(c.cfg.Forged))], nil }),
		request("no token", "topics=user", func(*rand.Rand) (string, error) { return "", nil }),
		request("a topic beyond its grant", "topics=room.others", good),
		request("a malformed cursor", "topics=user&cursor=-1", good),
		raw("a WebSocket without a key", waits, websocket("Sec-WebSocket-Version: 13\r\n")),
		raw("a WebSocket of another version", waits, websocket("Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")),
		raw("an endless head", hangsUp, func() []byte { return append(half(), strings.Repeat("x", endless)...) }),
		raw("half a request", vanishes, half),
		raw("half a request, then an end", hangsUp, half),
	}
	for _, t := range c.cfg.Transports {
		if t != protocol.WebSocket {
			continue
		}
		for _, misuse := range [][2]string{
			{"a frame without a mask", "\x81\x02hi"},
			{"a frame of a reserved kind", "\x83\x80\x00\x00\x00\x00"},
			{"a frame of a terabyte", "\x81\xff\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		} {
			list = append(list, func(rng *rand.Rand) (stranger, error) {
				token, err := good(rng)
				words := protocol.Request{Host: c.cfg.Addr, Query: "topics=user", Token: token}.Head(t)
				return stranger{name: misuse[0], manner: upgrades, words: words, more: []byte(misuse[1])}, err
			})
		}
	}
	return list
}

// anyTransport draws one of those in use.
func (c *crowd) anyTransport(rng *rand.Rand) protocol.Transport {
	return c.cfg.Transports[rng.IntN(len(c.cfg.Transports))]
}

// noise is random bytes.
func noise(n int) []byte {
	b := make([]byte, n)
	crand.Read(b) // It never fails; the program crashes without randomness.
	return b
}

// meet lets a stranger in front of the server and counts what happens.
func (c *crowd) meet(ctx context.Context, s stranger) {
	conn, err := wire.Dialer{}.Dial(ctx, c.cfg.Addr)
	if err != nil {
		if ctx.Err() == nil {
			c.cutOff(err) // a server that listens to nobody
		}
		return
	}
	hangUp := func() { _ = conn.Close() }
	defer hangUp()
	defer context.AfterFunc(ctx, hangUp)()
	_ = conn.SetDeadline(time.Now().Add(answerTime))
	err = s.try(conn)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		err = fmt.Errorf("%s: %w", s.name, err)
		c.deeds.admitted.Add(1)
		c.firstAdmitted.CompareAndSwap(nil, &err)
	case s.manner == vanishes:
		c.deeds.abandoned.Add(1)
	default:
		c.deeds.refused.Add(1)
	}
}

// try says the words; it fails with errAdmitted when the server takes them.
func (s stranger) try(conn *net.TCPConn) error {
	_, err := conn.Write(s.words)
	if s.manner == vanishes {
		return nil
	}
	if err == nil && s.manner == hangsUp {
		err = conn.CloseWrite()
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil // the server had enough before the end
	}
	if s.manner == upgrades {
		return s.upgrade(conn)
	}
	answer, err := readHead(conn)
	switch {
	case bytes.HasPrefix(answer, []byte("HTTP/1.1 4")), len(answer) == 0 && !errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case len(answer) == 0:
		return fmt.Errorf("%w: no answer within %v", errAdmitted, answerTime)
	}
	return fmt.Errorf("%w: answered with %q", errAdmitted, firstLine(answer))
}

// upgrade gets a WebSocket, misuses it and waits for its end.
func (s stranger) upgrade(conn *net.TCPConn) error {
	answer, _ := readHead(conn)
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101")) {
		return fmt.Errorf("a stream that was due was answered with %q", firstLine(answer))
	}
	if _, err := conn.Write(s.more); err != nil {
		return fmt.Errorf("the stream ended before its time: %w", err)
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: still connected after %v", errAdmitted, answerTime)
	}
	return nil
}

// readHead reads until the first empty line, the end, or some kilobytes.
func readHead(conn net.Conn) ([]byte, error) {
	var head []byte
	piece := make([]byte, 4<<10)
	for len(head) < len(piece) && !bytes.Contains(head, []byte("\r\n\r\n")) {
		n, err := conn.Read(piece)
		head = append(head, piece[:n]...)
		if err != nil {
			return head, err
		}
	}
	return head, nil
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	return line
}

// deaf is a seat of clients that ask for everything and never read.
func (c *crowd) deaf(ctx context.Context, i int, calm <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(uint64(c.ledger.run), uint64(len(c.seats)+i)))
	for {
		token, err := c.cfg.Token(int(c.users.Add(1)) - 1)
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		conn, err := narrow().Dial(ctx, c.cfg.Addr)
		if err != nil {
			return err
		}
		c.deeds.deaf.Add(1)
		words := protocol.Request{Host: c.cfg.Addr, Query: c.ledger.all().query, Token: token}.Head(c.anyTransport(rng))
		// What becomes of the words, and of the connection, a client that never reads
		// does not learn.
		_, _ = conn.Write(words)
		err = pause(ctx, c.cfg.Rest+time.Duration(rng.Int64N(int64(c.cfg.Away))), calm)
		if rng.IntN(2) == 0 {
			_ = conn.CloseWrite()
		}
		_ = conn.Close()
		if err != nil {
			return err
		}
		select {
		case <-calm:
			return nil
		default:
		}
	}
}
