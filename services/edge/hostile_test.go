package edge_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/services/edge/websocket/websockettest"
	"tidings/shared/auth"
	"tidings/shared/testkit"
)

// mask is a client's mask where none in particular is needed.
var mask = [4]byte{0xa1, 0xb2, 0xc3, 0xd4}

// textFrame is a client's text message.
func textFrame(s string) []byte {
	return websockettest.AppendFrame(nil, websockettest.Text, true, false, mask, []byte(s))
}

// TestHostileSockets sends what breaks the rules of WebSocket: each client hears the
// right close code, and nothing of it stays behind.
func TestHostileSockets(t *testing.T) {
	t.Parallel()
	unmasked := []byte{0x81, 2, '{', '}'}
	claim := func(first, bits byte, n uint64) []byte {
		return append(binary.BigEndian.AppendUint64([]byte{first, bits}, n), mask[:]...)
	}
	closing := func(payload string) []byte {
		return websockettest.AppendFrame(nil, websockettest.Close, true, false, mask, []byte(payload))
	}
	reserved := textFrame("{}")
	reserved[0] |= 0x20
	everyWay(t, func(t *testing.T, w way) {
		rsv1 := uint16(1002) // compression was not agreed
		if w.deflate {
			rsv1 = 1007 // it was, but this is none
		}
		for _, c := range []struct {
			name  string
			bytes []byte
			code  uint16
		}{
			{"unmasked", unmasked, 1002},
			{"reserved bit", reserved, 1002},
			{"reserved opcode", websockettest.AppendFrame(nil, 0x3, true, false, mask, nil), 1002},
			{"compressed garbage", websockettest.AppendFrame(nil, websockettest.Text, true, true, mask, []byte{0xff, 0xff, 0xff}), rsv1},
			{"bad UTF-8", textFrame("{\"id\":\"\xc3\x28\"}"), 1007},
			{"half a character", websockettest.AppendFrame(nil, websockettest.Text, true, false, mask, []byte("{\xc3")), 1007},
			{"too large", claim(0x81, 0x80|127, 1<<20), 1009},
			{"larger than memory", claim(0x81, 0x80|127, 1<<62), 1009},
			{"length of 64 bits", claim(0x81, 0x80|127, 1<<63), 1002},
			{"too large in fragments", bytes.Join([][]byte{
				websockettest.AppendFrame(nil, websockettest.Text, false, false, mask, []byte(strings.Repeat("x", 60<<10))),
				websockettest.AppendFrame(nil, websockettest.Continuation, true, false, mask, []byte(strings.Repeat("x", 60<<10))),
			}, nil), 1009},
			{"binary", websockettest.AppendFrame(nil, websockettest.Binary, true, false, mask, []byte("{}")), 1003},
			{"nothing to continue", websockettest.AppendFrame(nil, websockettest.Continuation, true, false, mask, nil), 1002},
			{"fragmented ping", websockettest.AppendFrame(nil, websockettest.Ping, false, false, mask, nil), 1002},
			{"large ping", websockettest.AppendFrame(nil, websockettest.Ping, true, false, mask, make([]byte, 126)), 1002},
			{"close", closing("\x03\xe8done"), 1000},
			{"close of the application", closing("\x0f\xa1"), 4001},
			{"close without a code", closing(""), 1005},
			{"close with half a code", closing("\x03"), 1002},
			{"close with a secret code", closing("\x03\xed"), 1002},
			{"close with bad UTF-8", closing("\x03\xe8\xff"), 1007},
			{"garbage after close", append(closing("\x03\xe9"), bytes.Repeat([]byte{0xff, 0}, 5000)...), 1001},
			{"garbage after a fault", append(bytes.Clone(unmasked), bytes.Repeat([]byte{0x55}, 100_000)...), 1002},
			{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 1002},
		} {
			s := w.dial("topics=" + string(w.room("hostile")))
			// One more byte at a time must change nothing.
			if len(c.bytes) < 20 {
				for _, b := range c.bytes {
					if _, err := s.Write([]byte{b}); err != nil {
						break // it has understood before the end
					}
				}
			} else if _, err := s.Write(c.bytes); err != nil && !strings.HasPrefix(c.name, "garbage") {
				t.Fatalf("%s: %v", c.name, err)
			}
			if code, reason, _ := s.end(); code != c.code {
				t.Errorf("%s: closed with %d %s, want %d", c.name, code, reason, c.code)
			}
		}
	})
}

// TestOddSockets does what is unusual and allowed, or ends without a word. The edge
// must be empty afterwards.
func TestOddSockets(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	t.Cleanup(func() { // when all are done
		for _, n := range []*node{a, b} {
			testkit.Eventually(t, "the connections to be gone", func() bool { return n.count() == 0 })
		}
	})
	for _, c := range []struct {
		name string
		test func(*testing.T, way)
	}{
		{"fragments", testFragments},
		{"many pings", testManyPings},
		{"half closed", testHalfClosed},
		{"cut within a frame", testCutWithinFrame},
		{"last words", testLastWords},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			waysOf(t, a, b, c.test)
		})
	}
}

// testFragments sends a command in three frames with a ping between them, and then
// byte by byte.
func testFragments(t *testing.T, w way) {
	s := w.dial("topics=user")
	s.until("tidings.live")
	var all []byte
	all = websockettest.AppendFrame(all, websockettest.Text, false, false, mask, []byte(`{"id":1,`))
	all = websockettest.AppendFrame(all, websockettest.Ping, true, false, mask, []byte("in between"))
	all = websockettest.AppendFrame(all, websockettest.Continuation, false, false, mask, []byte(`"do":"p`))
	all = websockettest.AppendFrame(all, websockettest.Pong, true, false, mask, []byte("unasked"))
	all = websockettest.AppendFrame(all, websockettest.Continuation, true, false, mask, []byte(`ing"}`))
	for _, piece := range []int{len(all), 1} {
		for rest := all; len(rest) > 0; rest = rest[piece:] {
			if _, err := s.Write(rest[:piece]); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := s.ReadMessage(); err != nil || m.Opcode != websockettest.Pong || string(m.Payload) != "in between" {
			t.Fatalf("got %+v, %v, want the pong", m, err)
		}
		if m, err := s.ReadMessage(); err != nil || string(m.Payload) != `{"re":1,"ok":true}` {
			t.Fatalf("got %+v, %v, want the answer", m, err)
		}
	}
}

// testManyPings writes 2,000 pings at once and gets their pongs in order.
func testManyPings(t *testing.T, w way) {
	const count = 2000
	s := w.dial("topics=user")
	s.until("tidings.live")
	var all []byte
	for i := range count {
		all = websockettest.AppendFrame(all, websockettest.Ping, true, false, mask, []byte(strconv.Itoa(i)))
	}
	if _, err := s.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		if m, err := s.ReadMessage(); err != nil || m.Opcode != websockettest.Pong || string(m.Payload) != strconv.Itoa(i) {
			t.Fatalf("pong %d is %+v, %v", i, m, err)
		}
	}
}

// testHalfClosed sends commands and says that nothing more will come, without a close
// frame.
func testHalfClosed(t *testing.T, w way) {
	s := w.dial("topics=user")
	s.until("tidings.live")
	const count = 10
	for range count {
		s.say(`{"id":1,"do":"subscribe","topics":["all"]}`)
	}
	if err := s.Net.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range count {
		if a := s.answer(); !a.OK {
			t.Errorf("subscribe: %s", a.text)
		}
	}
	if m, err := s.ReadMessage(); !gone(err) {
		t.Errorf("the socket is still open: %+v, %v", m, err)
	}
}

// testCutWithinFrame leaves in the middle of a frame, and of a header.
func testCutWithinFrame(t *testing.T, w way) {
	frame := textFrame(`{"id":1,"do":"ping"}`)
	for _, n := range []int{1, 3, 7, len(frame) - 1} {
		s := w.dial("topics=user")
		if _, err := s.Write(frame[:n]); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}

// testLastWords publishes and closes in one write: what was said before is done.
func testLastWords(t *testing.T, w way) {
	r := w.room("last")
	on := w.dial("topics=" + string(r))
	on.until("tidings.live")
	const count = 20
	s := w.dialAs(tokenOf(t, auth.Claims{User: "bob", Pub: []string{"room.>"}, TTL: time.Hour}), "topics=user")
	var all []byte
	for i := range count {
		all = append(all, textFrame(`{"id":1,"do":"publish","type":"n","topic":"`+string(r)+`","data":`+strconv.Itoa(i)+`}`)...)
	}
	if _, err := s.Write(append(all, websockettest.AppendFrame(nil, websockettest.Close, true, false, mask, []byte{3, 0xe8})...)); err != nil {
		t.Fatal(err)
	}
	if code, _, before := s.end(); code != 1000 {
		t.Errorf("closed with %d after %d answers", code, len(before))
	}
	same(t, "published before the close", on.numbers(count), expected(r, 0, count))
}
