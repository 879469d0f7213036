package raw

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/connection"
	"tidings/services/edge/wire"
	"tidings/shared/httpx"
)

const (
	// openingTime bounds the writing of the response head and the first words, which
	// a socket that was just accepted takes at once.
	openingTime = 10 * time.Second
	// unsentBytes is how much the kernel takes beyond what is on its way: the memory
	// of a reader that stalls. More would only be a longer queue.
	unsentBytes = 128 << 10
	// tcpNotsentLowat and tcpUserTimeout are TCP_NOTSENT_LOWAT and TCP_USER_TIMEOUT,
	// which package syscall does not name.
	tcpNotsentLowat, tcpUserTimeout = 25, 18
	// pollEvery bounds how long the poller takes to notice that it should end.
	pollEvery = 250 * time.Millisecond
	// pollEvents is how many socket events are taken at once.
	pollEvents = 512
)

// Sink takes sockets over. Make one with New.
type Sink struct {
	h      *connection.Host
	shards []*shard
	next   atomic.Uint32 // the shard of the next connection
	start  time.Time     // what the shards' clocks count from
	epoll  int
}

// New returns a sink without connections. Nothing is acquired before Open.
func New(h *connection.Host) *Sink {
	r := &Sink{h: h, start: time.Now()}
	for range runtime.GOMAXPROCS(0) {
		r.shards = append(r.shards, newShard(r))
	}
	return r
}

// Open implements connection.Sink.
func (r *Sink) Open() error {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	r.epoll = epoll
	return nil
}

// Run implements connection.Sink: it runs the shards and the poller.
func (r *Sink) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range r.shards {
		wg.Go(func() { s.run(ctx) })
	}
	r.poll(ctx)
	wg.Wait()
	_ = syscall.Close(r.epoll) // a descriptor of ours can only be closed
}

// Poke implements connection.Sink. The shards look by themselves when they sweep.
func (*Sink) Poke() {}

// LeaveWithin implements connection.Sink.
func (r *Sink) LeaveWithin(d time.Duration) {
	for _, s := range r.shards {
		s.post(task{kind: taskLeave, within: d})
	}
}

// poll hands the sockets' events to their shards.
func (r *Sink) poll(ctx context.Context) {
	events := make([]syscall.EpollEvent, pollEvents)
	for ctx.Err() == nil {
		n, err := syscall.EpollWait(r.epoll, events, int(pollEvery.Milliseconds()))
		if err != nil && err != syscall.EINTR {
			r.h.Config().Logger.Error("epoll failed; streams that end will be noticed when written to", "err", err)
			return
		}
		for _, ev := range events[:max(n, 0)] {
			// A descriptor's number would come back; these do not. What is not found was
			// closed meanwhile.
			if c, ok := r.h.At(uint32(ev.Fd), uint32(ev.Pad)).(*conn); ok {
				c.happened(ev.Events)
			}
		}
	}
}

// happened tells the shard what happened to a socket.
func (c *conn) happened(events uint32) {
	gone := uint32(syscall.EPOLLHUP | syscall.EPOLLERR)
	if c.sock == nil {
		gone |= syscall.EPOLLRDHUP // what a WebSocket's client said before is worth reading
	}
	switch {
	case events&gone != 0:
		c.shard.post(task{kind: taskGone, conn: c})
	case c.sock == nil, c.sock.posted.CompareAndSwap(false, true):
		c.shard.post(task{kind: taskReady, conn: c})
	}
}

// Serve implements connection.Sink.
func (r *Sink) Serve(c echo.Context, s *connection.Conn, start connection.Start) bool {
	req := c.Request()
	if req.ProtoMajor != 1 || req.ProtoMinor < 1 || req.TLS != nil { // chunks are HTTP/1.1's
		return false
	}
	status := http.StatusOK
	if start.Handshake != nil {
		status = http.StatusSwitchingProtocols
	}
	nc, rest, err := httpx.Hijack(c, status)
	if err != nil {
		return false
	}
	defer nc.Close() // our duplicate keeps the socket open
	// Changes wait until the shard has it: its client may wish one as soon as it has
	// read the first words.
	k := &conn{Conn: *s, shard: r.shards[r.next.Add(1)%uint32(len(r.shards))], read: &read{}}
	var early *result
	if start.Handshake == nil {
		k.Chunk()
	} else {
		k.sock, early = &socket{}, &result{buf: buffered(rest)}
	}
	r.h.Join(&k.Conn, k)
	if err := r.begin(k, nc, c.Response().Header(), start); err != nil {
		r.h.Release(&k.Conn, connection.CauseGone)
		k.shard.post(task{kind: taskLost, conn: k}) // changes may wait for it
		return true
	}
	k.shard.post(task{kind: taskAdd, conn: k, result: early})
	return true
}

// buffered returns what a client sent right behind its handshake. What comes behind
// a request for a stream is dropped instead: that never ends, so it speaks to nobody.
func buffered(rest *bufio.ReadWriter) []byte {
	b := make([]byte, rest.Reader.Buffered())
	n, _ := io.ReadFull(rest.Reader, b) // it is there
	return b[:n]
}

// begin writes the response head and the first words, and takes the descriptor out
// of the runtime's hands.
func (r *Sink) begin(k *conn, nc net.Conn, h http.Header, start connection.Start) error {
	if err := nc.SetWriteDeadline(time.Now().Add(openingTime)); err != nil {
		return fmt.Errorf("deadline: %w", err)
	}
	first, words := k.Opening(start.Void)
	if start.Handshake != nil {
		first = start.Handshake.AppendHead(nil, h)
	} else {
		first = append(wire.AppendHead(nil, h, k.Gzip()), first...)
	}
	for _, b := range [][]byte{first, words} {
		r.h.Metrics.Bytes.Add(float64(len(b)))
		if _, err := nc.Write(b); err != nil {
			return fmt.Errorf("opening: %w", err)
		}
	}
	fd, err := duplicate(nc)
	if err != nil {
		return err
	}
	k.fd = int32(fd)
	// Without the first option a stalled reader could hold megabytes of the kernel's
	// memory; without the second a client that vanished would be noticed after a
	// quarter of an hour. An old kernel that does not know one serves as well.
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, tcpNotsentLowat, unsentBytes)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, tcpUserTimeout, int(r.h.Config().Stall.Milliseconds()))
	return nil
}

// duplicate returns a descriptor of the connection's socket that the runtime does
// not know; it is non-blocking already.
func duplicate(nc net.Conn) (int, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("a %T has no descriptor", nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("descriptor: %w", err)
	}
	var fd uintptr
	var errno syscall.Errno
	err = raw.Control(func(old uintptr) {
		fd, _, errno = syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return 0, fmt.Errorf("duplicate the descriptor: %w", err)
	}
	return int(fd), nil
}

// watch registers a connection for the events of its socket. They are
// edge-triggered: "writable" comes only after a write found the socket full.
func (r *Sink) watch(c *conn) error {
	slot, generation := c.Slot()
	const et = 1 << 31 // EPOLLET, which package syscall has as a negative number
	events := uint32(syscall.EPOLLOUT | syscall.EPOLLRDHUP | et)
	if c.sock != nil {
		events |= syscall.EPOLLIN
	}
	return syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_ADD, int(c.fd), &syscall.EpollEvent{
		Events: events, Fd: int32(slot), Pad: int32(generation),
	})
}
