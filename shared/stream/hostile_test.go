package stream_test

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"tidings/shared/event"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/testkit"
)

// TestHostileHeaders: whoever may publish to one topic by NATS may write any
// header, and must not be able to stop the log for others, to hide what comes
// after, or to speak as another topic.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]nats.Header{
		"a heartbeat":          {"Status": {"100"}, "Description": {"Idle Heartbeat"}},
		"a stalled consumer":   {"Status": {"100"}, "Nats-Consumer-Stalled": {"tidings.ev.all"}},
		"the end of a batch":   {"Status": {"204"}, "Nats-Num-Pending": {"0"}},
		"nothing found":        {"Status": {"404"}},
		"a failure":            {"Status": {"500"}, "Description": {"broken"}},
		"another sequence":     {"Nats-Sequence": {"999"}, "Nats-Num-Pending": {"7"}, "Nats-Last-Consumer": {"99"}},
		"no sequence":          {"Nats-Sequence": {"x"}, "Nats-Time-Stamp": {"yesterday"}},
		"another topic":        {"Nats-Subject": {"tidings.ev.user.ann"}, "Nats-Stream": {"OTHER"}},
		"no topic":             {"Nats-Subject": {""}, "Status": {"204"}},
		"a canary":             {"Nats-Subject": {"tidings.ev.sys.canary.n"}},
		"our attributes twice": {"ce-type": {"tidings.bye", "x"}, "CE-Type": {"tidings.gap"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, conn := testkit.EventLog(t, testkit.Limits())
			survives(t, l, func() {
				m := &nats.Msg{Subject: "tidings.ev.room.evil", Header: header}
				if _, err := conn.JS.PublishMsg(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestUnreadableHeaders does the same with bytes that are no headers at all,
// which only a client of one's own sends.
func TestUnreadableHeaders(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"no colon":      "NATS/1.0\r\nrubbish\r\n\r\n",
		"inline status": "NATS/1.0 404 Not Found\r\n\r\n",
		"inline end":    "NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\n\r\n",
		"no version":    "HTTP/1.1 200\r\na: b\r\n\r\n",
		"bytes":         "NATS/1.0\r\n\xff\x00: \xfe\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, conn := testkit.EventLog(t, testkit.Limits())
			survives(t, l, func() { publishRaw(t, conn, "tidings.ev.room.evil", header) })
		})
	}
}

// TestManyUnreadableHeaders: a page does not grow with the hostility, and the
// pages together are still everything.
func TestManyUnreadableHeaders(t *testing.T) {
	t.Parallel()
	l, conn := testkit.EventLog(t, testkit.Limits())
	const each = 50
	for range each {
		publishRaw(t, conn, "tidings.ev.room.evil", "NATS/1.0\r\nrubbish\r\n\r\n")
	}
	put(t, l, "room.evil", 1)
	entries := pages(t, l, stream.Query{Pattern: "room.evil"})
	if len(entries) != each+1 {
		t.Fatalf("%d events, want %d", len(entries), each+1)
	}
	for i, e := range entries {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has sequence %d", i, e.Seq)
		}
	}
}

// survives puts one hostile event between ordinary ones and reads it all back.
func survives(t *testing.T, l *stream.NATS, attack func()) {
	t.Helper()
	const want = "1:room.ops 2:room.evil 3:room.evil 4:room.ops"
	show := func(entries []stream.Entry) string {
		var list []string
		for _, e := range entries {
			list = append(list, fmt.Sprintf("%d:%s", e.Seq, e.Event.Topic))
		}
		return strings.Join(list, " ")
	}
	f := follow(t, l, event.Cursor{})
	put(t, l, "room.ops", 1)
	attack()
	put(t, l, "room.evil", 3)
	last := put(t, l, "room.ops", 4)
	f.wait("the events", func() bool { return len(f.entries) >= 4 })
	if got := show(f.entries); got != want {
		t.Errorf("followed %s, want %s", got, want)
	}
	for _, limit := range []int{1, 2, 100} {
		if got := show(pages(t, l, stream.Query{Pattern: ">", Limit: limit})); got != want {
			t.Errorf("in pages of %d: %s, want %s", limit, got, want)
		}
	}
	for n, want := range map[int]string{1: "3:room.evil", 2: "2:room.evil 3:room.evil", 3: "2:room.evil 3:room.evil"} {
		p, err := l.Range(t.Context(), stream.Query{Pattern: "room.evil", Last: n})
		if err != nil || show(p.Entries) != want || p.Next != last.Cursor || p.More {
			t.Errorf("the last %d: %s, %v; want %s", n, show(p.Entries), err, want)
		}
	}
}

// publishRaw sends headers that nats.go would refuse to send, and waits until
// the server has the message.
func publishRaw(t *testing.T, conn *natsx.Conn, subject, header string) {
	t.Helper()
	u, err := url.Parse(conn.Embedded().ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB acks 1\r\nHPUB %s acks %d %d\r\n%s\r\n", subject, len(header), len(header), header)
	for lines := bufio.NewScanner(c); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "-ERR"):
			t.Fatal(line)
		case strings.HasPrefix(line, "{") && strings.Contains(line, `"seq"`):
			return
		}
	}
	t.Fatal("the server closed the connection")
}
