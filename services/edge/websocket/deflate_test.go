package websocket_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tidings/services/edge/websocket"
	"tidings/services/edge/websocket/websockettest"
)

// compressed is a client's compressed frame.
func compressed(op byte, fin bool, payload string) string {
	return string(websockettest.AppendFrame(nil, op, fin, true, mask(), []byte(payload)))
}

// deflate is the payload of a compressed message, by the standard library.
func deflate(s string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write([]byte(s))
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func TestInflate(t *testing.T) {
	t.Parallel()
	lim := websocket.Limits{MaxFrame: 4096, MaxMessage: 4096, MaxFragments: 100, Binary: true, Deflate: true}
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	heard := []string{"text Hello"}
	full := strings.Repeat("b", 4096)
	z := deflate(full)
	rules := []rule{
		{"RFC 7692 7.2.3.1 one block", compressed(1, true, hello), heard},
		{"RFC 7692 7.2.3.1 fragments", compressed(1, false, hello[:3]) + last(hello[3:]), heard},
		{"RFC 7692 7.2.3.3 stored block", compressed(1, true, "\x00\x05\x00\xfa\xffHello\x00"), heard},
		{"RFC 7692 7.2.3.4 final block", compressed(1, true, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), heard},
		{"RFC 7692 7.2.3.5 two blocks", compressed(1, true, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), heard},
		{"RFC 7692 7.2.3.6 empty", compressed(1, true, "\x00"), []string{"text "}},
		{"nothing at all, which is no deflate", compressed(1, true, ""), []string{badUTF8}},
		{"not compressed", text("Hello"), heard},
		{"no context is taken over", compressed(1, true, hello) + compressed(1, true, "\xf2\x00\x11\x00\x00"), append(heard, badUTF8)},
		{"ping between", compressed(1, false, hello[:3]) + ping("p") + last(hello[3:]), append([]string{"ping p"}, heard...)},
		{"binary", compressed(2, true, deflate("\xff\xfe")), []string{"binary \xff\xfe"}},
		{"RSV1 of a continuation", compressed(1, false, hello[:3]) + compressed(0, true, hello[3:]), []string{violated}},
		{"RSV1 of a continuation alone", begin("a") + compressed(0, true, "b"), []string{violated}},
		{"RSV1 of a ping", compressed(9, true, ""), []string{violated}},
		{"RSV1 of a close", compressed(8, true, ""), []string{violated}},
		{"RSV2", odd(0xe1, hello), []string{violated}},
		{"text is not UTF-8", compressed(1, true, deflate("a\xffb")), []string{badUTF8}},
		{"text ends within a character", compressed(1, true, deflate("a\xe2\x82")), []string{badUTF8}},
		{"not deflate", compressed(1, true, "Hello"), []string{badUTF8}},
		{"reserved block type", compressed(1, true, "\x07"), []string{badUTF8}},
		{"broken off", compressed(1, true, hello[:4]), []string{badUTF8}},
		{"back before the beginning", compressed(1, true, "\x4a\x04\x62\x00"), []string{badUTF8}},
		{"seven final blocks", compressed(1, true, strings.Repeat("\x03\x00", 7)+"\x00"), []string{"text "}},
		{"eight final blocks", compressed(1, true, strings.Repeat("\x03\x00", 8)+"\x00"), []string{badUTF8}},
		{"as large as may be", compressed(1, true, z), []string{"text " + full}},
		{"one byte larger", compressed(1, true, deflate(full+"b")), []string{tooLarge}},
		{"bomb", compressed(1, true, deflate(strings.Repeat("\x00", 1<<20))), []string{tooLarge}},
		{"binary bomb", compressed(2, true, deflate(strings.Repeat("\x00", 1<<20))), []string{tooLarge}},
		{"compressed and still too large", compressed(1, true, strings.Repeat("\x00", 4097)), []string{tooLarge}},
	}
	for _, n := range []int{16, 64, 256, 1024, 4096} {
		s := strings.Repeat(`{"AutobahnPython":0.6,"n":12}`, 200)[:n]
		rules = append(rules,
			rule{fmt.Sprintf("12.1 text of %d", n), compressed(1, true, deflate(s)), []string{"text " + s}},
			rule{fmt.Sprintf("12.2 binary of %d", n), compressed(2, true, deflate(s)), []string{"binary " + s}},
			rule{fmt.Sprintf("12.1 text of %d in fragments", n), strings.Replace(fragments(1, deflate(s), 8), "\x01", "\x41", 1), []string{"text " + s}})
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			check(t, r.in, lim, r.want)
		})
	}
}

// TestDeflate reads what Deflate made with the client's decompressor and with the
// Reader, after others used the same pooled compressor.
func TestDeflate(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 70_000)
	rnd := rand.NewChaCha8([32]byte{})
	_, _ = rnd.Read(noise)
	for name, s := range map[string]string{
		"empty": "", "short": "a", "event": event(), "repeated": strings.Repeat("room.ops ", 100_000), "noise": string(noise),
	} {
		z := websocket.Deflate([]byte("before"), []byte(s))
		z, ok := bytes.CutPrefix(z, []byte("before"))
		if !ok {
			t.Fatalf("%s: dst is lost", name)
		}
		if again := websocket.Deflate(nil, []byte(s)); !bytes.Equal(again, z) {
			t.Errorf("%s: not the same twice", name)
		}
		got, err := websockettest.Inflate(z)
		if err != nil || string(got) != s {
			t.Errorf("%s: %d bytes and %v, want %d bytes", name, len(got), err, len(s))
		}
		var r websocket.Reader
		lim := roomy()
		lim.Deflate = true
		var heard []byte
		if err := r.Feed([]byte(compressed(2, true, string(z))), lim, func(m websocket.Message) error {
			heard = bytes.Clone(m.Payload)
			return nil
		}); err != nil || string(heard) != s {
			t.Errorf("%s: heard %d bytes and %v, want %d bytes", name, len(heard), err, len(s))
		}
		if name == "repeated" && len(z) > len(s)/100 {
			t.Errorf("%d bytes became %d", len(s), len(z))
		}
	}
}

// event is an event as it is sent, of about 200 bytes.
func event() string {
	return `{"topic":"room.ops","type":"cpu","id":"01J9ZK7Q3V","source":"/hosts/web-7","time":"2026-05-04T10:11:12.345Z","cursor":"k3v9-1234567","data":{"host":"web-7","cpu":37.5,"load":[1.2,0.9,0.7],"note":"all is well"}}`
}
