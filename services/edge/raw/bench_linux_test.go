package raw

import (
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/edge/codec"
	"tidings/services/edge/connection"
	"tidings/services/edge/tail"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// BenchmarkDeliver takes one event from the log's follower to the sockets of a room:
// index, route and write, by one shard. The sockets are pairs within the kernel, which
// are emptied while the clock stands. An operation is a delivery.
func BenchmarkDeliver(b *testing.B) {
	for name, form := range map[string]codec.Codec{"sse": codec.SSE(false), "websocket": codec.WebSocket(false)} {
		for _, together := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/together=%d", name, together), func(b *testing.B) {
				benchmarkDeliver(b, form, together)
			})
		}
	}
}

func benchmarkDeliver(b *testing.B, form codec.Codec, together int) {
	const conns = 100
	t := tail.New(tail.DefaultBytes)
	at := event.Cursor{Epoch: "bench"}
	t.Reset(at)
	h := connection.NewHost(connection.Config{
		Node: "bench", Tail: t, Away: func() error { return nil }, Heartbeat: 1 << 40, Stall: 1 << 40,
		Total: conns, PerUser: conns, Topics: 10, Logger: slog.New(slog.DiscardHandler),
	}, connection.NewMetrics(prometheus.NewRegistry()))
	sink := New(h)
	if err := sink.Open(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = syscall.Close(sink.epoll) })
	s := sink.shards[0]
	var far []int
	for range conns {
		near, other := socketPair(b)
		far = append(far, other)
		c, start, bye := h.Admit(b.Context(), &connection.Request{
			Grant: &auth.Grant{User: "ann"}, Patterns: []subject.Pattern{"room.bench"}, Codec: form,
		})
		if bye != nil || start.Void != "" {
			b.Fatalf("not admitted: %v", bye)
		}
		k := &conn{Conn: *c, shard: s, fd: int32(near)}
		if k.Socket() {
			k.sock = &socket{}
		} else {
			k.Chunk()
		}
		h.Join(&k.Conn, k)
		s.add(b.Context(), k, &result{})
	}
	ev := event.Event{Topic: "room.bench", Type: "n", Data: make([]byte, 200)}
	for i := range ev.Data {
		ev.Data[i] = '7'
	}
	junk := make([]byte, 64<<10)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += conns * together {
		b.StopTimer()
		frames := make([]*tail.Frame, together)
		for i := range frames {
			at.Seq++
			frames[i] = tail.Encode(ev, at)
		}
		b.StartTimer()
		for _, f := range frames {
			t.Append(f)
		}
		s.turn(b.Context())
		b.StopTimer()
		for _, fd := range far {
			if n, err := syscall.Read(fd, junk); err != nil && err != io.EOF || n == 0 {
				b.Fatalf("nothing arrived: %v", err)
			}
		}
		b.StartTimer()
	}
}

// socketPair returns the ends of a connection within the kernel that never block.
func socketPair(b *testing.B) (near, far int) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = syscall.Close(fds[0]), syscall.Close(fds[1]) })
	return fds[0], fds[1]
}
