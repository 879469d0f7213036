package connection

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/slots"
	"tidings/shared/httpx"
)

const (
	// openingTime bounds the writing of the response head and the first words, which
	// a socket that was just accepted takes at once.
	openingTime = 10 * time.Second
	// unsentBytes is how much the kernel takes beyond what is on its way: the memory
	// of a reader that stalls. More would only be a longer queue.
	unsentBytes = 128 << 10
	// tcpNotsentLowat is TCP_NOTSENT_LOWAT, which package syscall does not name.
	tcpNotsentLowat = 25
	// pollEvery bounds how long the poller takes to notice that it should end.
	pollEvery = 250 * time.Millisecond
	// pollEvents is how many socket events are taken at once.
	pollEvents = 512
)

// rawSink serves streams without net/http: after the handler has run all
// middleware, the socket is taken over, put out of the runtime's poller and
// written to by one of a few shards. A connection then costs its record and the
// kernel's socket, and no goroutine.
type rawSink struct {
	h      *Host
	shards []*shard
	next   atomic.Uint32 // the shard of the next connection
	start  time.Time     // what the shards' clocks count from
	epoll  int
	slots  slots.Table[rawConn] // what epoll remembers of a socket
}

// newRawSink makes the shards. Nothing is acquired before open.
func newRawSink(h *Host) *rawSink {
	r := &rawSink{h: h, start: time.Now()}
	for range runtime.GOMAXPROCS(0) {
		r.shards = append(r.shards, newShard(r))
	}
	return r
}

// open makes the sink able to take connections; run must follow.
func (r *rawSink) open() error {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	r.epoll = epoll
	return nil
}

// run runs the shards and the poller until ctx ends, closes what is still open,
// and returns when all have ended.
func (r *rawSink) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range r.shards {
		wg.Go(func() { s.run(ctx) })
	}
	r.poll(ctx)
	wg.Wait()
	_ = syscall.Close(r.epoll) // a descriptor of ours can only be closed
}

// poll hands the sockets' events to their shards.
func (r *rawSink) poll(ctx context.Context) {
	events := make([]syscall.EpollEvent, pollEvents)
	for ctx.Err() == nil {
		n, err := syscall.EpollWait(r.epoll, events, int(pollEvery.Milliseconds()))
		if err != nil && err != syscall.EINTR {
			r.h.cfg.Logger.Error("epoll failed; streams that end will be noticed when written to", "err", err)
			return
		}
		for _, ev := range events[:max(n, 0)] {
			c := r.slots.At(uint32(ev.Fd), uint32(ev.Pad))
			switch {
			case c == nil: // it was closed meanwhile
			case ev.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0:
				c.shard.post(task{kind: taskGone, conn: c})
			default:
				c.shard.post(task{kind: taskWritable, conn: c})
			}
		}
	}
}

// serve takes over the socket of a request and returns true, or false if it
// cannot be taken over: nothing was written then.
func (r *rawSink) serve(c echo.Context, s *conn, void string) bool {
	req := c.Request()
	if req.ProtoMajor != 1 || req.ProtoMinor < 1 || req.TLS != nil { // chunks are HTTP/1.1's
		return false
	}
	setStreamHeaders(c.Response().Header(), s.gzip)
	nc, rest, err := httpx.Hijack(c, http.StatusOK)
	if err != nil {
		return false
	}
	if rest.Reader.Buffered() > 0 {
		// A client that sends more after asking for a stream speaks to nobody: the
		// stream never ends, so its next request could never be answered.
		r.h.cfg.Logger.Debug("bytes after a request for a stream are dropped", "bytes", rest.Reader.Buffered())
	}
	s.chunked = true
	retry, words := s.opening(void)
	fd, err := r.begin(nc, c.Response().Header(), retry, words)
	if err != nil {
		r.h.conns.release(s)
		r.h.metrics.ends.WithLabelValues(causeGone).Inc()
		return true
	}
	sh := r.shards[r.next.Add(1)%uint32(len(r.shards))]
	k := &rawConn{conn: *s, shard: sh, fd: int32(fd)}
	sh.post(task{kind: taskAdd, conn: k})
	return true
}

// begin writes the response head and the first words, and takes the descriptor out
// of the runtime's hands.
func (r *rawSink) begin(nc net.Conn, h http.Header, retry, words []byte) (int, error) {
	defer nc.Close() // our duplicate keeps the socket open
	if err := nc.SetWriteDeadline(time.Now().Add(openingTime)); err != nil {
		return 0, fmt.Errorf("deadline: %w", err)
	}
	for _, b := range [][]byte{append(responseHead(h), retry...), words} {
		r.h.metrics.bytes.Add(float64(len(b)))
		if _, err := nc.Write(b); err != nil {
			return 0, fmt.Errorf("opening: %w", err)
		}
	}
	return duplicate(nc)
}

// responseHead makes the head of a chunked HTTP/1.1 response, after which the
// connection is closed.
func responseHead(h http.Header) []byte {
	h.Set("Connection", "close")
	// A body that just ends with its connection would do for browsers, but some HTTP
	// libraries wait for a full buffer unless there are chunks.
	h.Set("Transfer-Encoding", "chunked")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&b) // cannot fail: it writes to memory
	b.WriteString("\r\n")
	return b.Bytes()
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
	// Without it a stalled reader could hold megabytes of the kernel's memory. An old
	// kernel that does not know it serves as well.
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotsentLowat, unsentBytes)
	return int(fd), nil
}

// watch registers a connection for the events of its socket. They are
// edge-triggered: "writable" comes only after a write found the socket full.
func (r *rawSink) watch(c *rawConn) error {
	slot, generation := r.slots.Put(c)
	c.slot = slot + 1
	const et = 1 << 31 // EPOLLET, which package syscall has as a negative number
	return syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_ADD, int(c.fd), &syscall.EpollEvent{
		Events: syscall.EPOLLOUT | syscall.EPOLLRDHUP | et, Fd: int32(slot), Pad: int32(generation),
	})
}

// leaveWithin makes every connection leave at a random moment within d.
func (r *rawSink) leaveWithin(d time.Duration) {
	for _, s := range r.shards {
		s.post(task{kind: taskLeave, within: d})
	}
}
