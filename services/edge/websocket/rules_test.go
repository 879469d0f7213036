package websocket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tidings/services/edge/websocket"
	"tidings/services/edge/websocket/websockettest"
)

// greek is the text of the Autobahn suite's cases 6.
const greek = "Hello-µ@ßöäüàá-UTF-8!!"

// rule is an input and what must come of it. The names begin with the number of the
// case in the Autobahn test suite where it has one.
type rule struct {
	name string
	in   string
	want []string
}

func TestRules(t *testing.T) {
	t.Parallel()
	rules := slices.Concat(framing(), pingsAndPongs(), reserved(), fragmentation(), utf8Rules(), utf8Sequences(), closing(), lengths())
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			check(t, r.in, roomy(), r.want)
		})
	}
}

const (
	violated = "error 1002"
	badUTF8  = "error 1007"
	tooLarge = "error 1009"
)

func framing() (rules []rule) {
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		s := strings.Repeat("*", n)
		b := strings.Repeat("\xfe", n)
		rules = append(rules,
			rule{fmt.Sprintf("1.1.%d text of %d", i+1, n), text(s), []string{"text " + s}},
			rule{fmt.Sprintf("1.2.%d binary of %d", i+1, n), binary(b), []string{"binary " + b}})
	}
	return rules
}

func pingsAndPongs() []rule {
	full := strings.Repeat("\xfe", 125)
	var ten []string
	for i := range 10 {
		ten = append(ten, fmt.Sprintf("ping payload-%d", i))
	}
	many := ""
	for _, s := range ten {
		many += ping(strings.TrimPrefix(s, "ping "))
	}
	return []rule{
		{"2.1 ping without payload", ping(""), []string{"ping "}},
		{"2.2 ping with payload", ping("Hello, world!"), []string{"ping Hello, world!"}},
		{"2.3 ping with bytes that are no text", ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), []string{"ping \x00\xff\xfe\xfd\xfc\xfb\x00\xff"}},
		{"2.4 ping of 125", ping(full), []string{"ping " + full}},
		{"2.5 ping of 126", ping(full + "\xfe"), []string{violated}},
		{"2.7 unsolicited pong", pong(""), []string{"pong "}},
		{"2.8 unsolicited pong with payload", pong("unsolicited"), []string{"pong unsolicited"}},
		{"2.9 unsolicited pong and ping", pong("unsolicited") + ping("now"), []string{"pong unsolicited", "ping now"}},
		{"2.10 ten pings", many, ten},
		{"a pong of 126", pong(full + "\xfe"), []string{violated}},
		{"a ping whose length is 64 bits", "\x89\xff", []string{violated}},
	}
}

func reserved() (rules []rule) {
	rules = []rule{
		{"3.1 RSV3", odd(0x91, ""), []string{violated}},
		{"3.2 RSV2 after a text", text("a") + odd(0xa1, "b") + ping(""), []string{"text a", violated}},
		{"3.3 RSV2 and RSV3 after a text", text("a") + odd(0xb1, "b") + ping(""), []string{"text a", violated}},
		{"3.4 RSV1 after a text", text("a") + odd(0xc1, "b") + ping(""), []string{"text a", violated}},
		{"3.5 RSV1 and RSV3 of a binary", odd(0xd2, "b"), []string{violated}},
		{"3.6 RSV1 and RSV2 of a ping", odd(0xe9, "b"), []string{violated}},
		{"3.7 all RSV of a close", odd(0xf8, ""), []string{violated}},
		{"unmasked text", "\x81\x05Hello", []string{violated}},
		{"unmasked ping", "\x89\x00", []string{violated}},
		{"unmasked close", "\x88\x00", []string{violated}},
		{"unmasked continuation", begin("a") + "\x80\x01a", []string{violated}},
		{"masked with zeros", string(websockettest.AppendFrame(nil, 1, true, false, [4]byte{}, []byte("abc"))), []string{"text abc"}},
	}
	for i, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		number := fmt.Sprintf("4.%d.%d opcode %d", 1+i/5, 1+i%5, op)
		rules = append(rules,
			rule{number, odd(0x80|op, ""), []string{violated}},
			rule{number + " after a text, with payload", text("a") + odd(0x80|op, "x") + ping(""), []string{"text a", violated}},
			rule{number + " not final", odd(op, "x"), []string{violated}})
	}
	return rules
}

func fragmentation() []rule {
	two := []string{"text fragment1fragment2"}
	var pinged, heard strings.Builder
	for i := range 5 {
		pinged.WriteString(more(fmt.Sprint(i)) + ping(fmt.Sprint(i)))
		fmt.Fprint(&heard, i)
	}
	return []rule{
		{"5.1 fragmented ping", frame(websockettest.Ping, false, "a") + last("b"), []string{violated}},
		{"5.2 fragmented pong", frame(websockettest.Pong, false, "a") + last("b"), []string{violated}},
		{"fragmented close", frame(websockettest.Close, false, "") + last(""), []string{violated}},
		{"5.3 text in two", begin("fragment1") + last("fragment2"), two},
		{"5.6 ping between", begin("fragment1") + ping("p") + last("fragment2"), append([]string{"ping p"}, two...)},
		{"5.7 pong between", begin("fragment1") + pong("") + last("fragment2"), append([]string{"pong "}, two...)},
		{"5.9 continuation of nothing", last("a") + text("b"), []string{violated}},
		{"5.12 unfinished continuation of nothing", more("a") + text("b"), []string{violated}},
		{"5.15 continuation after the last", begin("fragment1") + last("fragment2") + more("c") + text("d"), append(two, violated)},
		{"5.18 text within a text", begin("a") + text("b"), []string{violated}},
		{"binary within a text", begin("a") + binary("b"), []string{violated}},
		{"unfinished text within a text", begin("a") + begin("b"), []string{violated}},
		{
			"5.19 five fragments and five pings", begin("") + pinged.String() + last("!") + text("next"),
			[]string{"ping 0", "ping 1", "ping 2", "ping 3", "ping 4", "text " + heard.String() + "!", "text next"},
		},
		{"a binary in three", frame(websockettest.Binary, false, "\xff") + more("") + last("\xfe"), []string{"binary \xff\xfe"}},
		{"10.1.1 a text in fragments of 1300", fragments(websockettest.Text, strings.Repeat("*", 65536), 1300), []string{"text " + strings.Repeat("*", 65536)}},
	}
}

func utf8Rules() []rule {
	bad := "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" // valid; what follows is not
	return []rule{
		{"6.1.1 empty text", text(""), []string{"text "}},
		{"6.1.2 three empty fragments", begin("") + more("") + last(""), []string{"text "}},
		{"6.1.3 the middle is not empty", begin("") + more("middle") + last(""), []string{"text middle"}},
		{"6.2.1 valid", text(greek), []string{"text " + greek}},
		{"6.2.2 valid in two", begin(greek[:12]) + last(greek[12:]), []string{"text " + greek}},
		{"6.2.3 valid in octets", fragments(websockettest.Text, greek, 1), []string{"text " + greek}},
		{"6.3.1 invalid", text(bad + "\xed\xa0\x80edited"), []string{badUTF8}},
		{"6.3.2 invalid in octets", fragments(websockettest.Text, bad+"\xed\xa0\x80edited", 1), []string{badUTF8}},
		{"6.4.1 fails at the second fragment", begin(bad) + more("\xf4\x90\x80\x80"), []string{badUTF8}},
		{"6.4.2 fails within the second fragment", begin(bad+"\xf4") + more("\x90"), []string{badUTF8}},
		{"6.4.3 fails within a frame", text(bad + "\xf4\x90\x80\x80edited")[:6+len(bad)+2], []string{badUTF8}},
		{"6.4.4 does not fail before", text(bad + "\xf4\x90\x80\x80edited")[:6+len(bad)+1], nil},
		{"a ping within a character", begin("\xe2\x82") + ping("\xff") + last("\xac"), []string{"ping \xff", "text €"}},
		{"ends within a character", begin("a\xe2\x82") + last(""), []string{badUTF8}},
		{"goes on after half a character", begin("a\xe2\x82") + last("b"), []string{badUTF8}},
	}
}

// utf8Sequences are the cases 6.5 to 6.23: each sequence alone and in octets.
func utf8Sequences() (rules []rule) {
	valid := []string{
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", "\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80",
		"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd",
		"\xef\xbf\xbe", "\xf0\x9f\xbf\xbe", "\xf0\xaf\xbf\xbf",
	}
	wrong := []string{
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xf7\xbf\xbf\xbf",
		"\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf", "\xf4\x90\x80\x80", "\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80\xbf\x80\xbf",
		"\xc0 \xc1 \xc2 ", "\xe0 \xe1 ", "\xf0 \xf1 ", "\xf8 \xf9 ", "\xfc ", "\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfe", "\xff", "\xfe\xfe\xff\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf",
		"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xed\xaf\xbf", "\xed\xb0\x80",
		"\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf",
	}
	for _, s := range valid {
		rules = append(rules,
			rule{fmt.Sprintf("6.x %x", s), text(s), []string{"text " + s}},
			rule{fmt.Sprintf("6.x %x in octets", s), fragments(websockettest.Text, s, 1), []string{"text " + s}})
	}
	for _, s := range wrong {
		rules = append(rules,
			rule{fmt.Sprintf("6.x not %x", s), text(s), []string{badUTF8}},
			rule{fmt.Sprintf("6.x not %x in octets", s), fragments(websockettest.Text, "a"+s, 1), []string{badUTF8}})
	}
	return rules
}

func closing() (rules []rule) {
	hello := "\x03\xe8"
	reason := strings.Repeat("*", 123)
	rules = []rule{
		{"7.1.1 text and close", text("Hello World!") + bye(hello), []string{"text Hello World!", "close 1000 "}},
		{"7.1.2 two closes", bye(hello) + bye(hello), []string{"close 1000 "}},
		{"7.1.3 ping after close", bye(hello) + ping(""), []string{"close 1000 "}},
		{"7.1.4 text after close", bye(hello) + text("a"), []string{"close 1000 "}},
		{"rubbish after close", bye(hello) + "\xff\xff\xff\xff", []string{"close 1000 "}},
		{"7.1.5 close within a message", begin("fragment1") + bye(hello) + last("fragment2"), []string{"close 1000 "}},
		{"7.1.6 large, close, ping", text(strings.Repeat("A", 256<<10)) + bye(hello) + ping(""), []string{"text " + strings.Repeat("A", 256<<10), "close 1000 "}},
		{"7.3.1 empty", bye(""), []string{"close 1005 "}},
		{"7.3.2 one byte", bye("a"), []string{violated}},
		{"7.3.3 code", bye(hello), []string{"close 1000 "}},
		{"7.3.4 code and reason", bye(hello + "Hello World!"), []string{"close 1000 Hello World!"}},
		{"7.3.5 longest reason", bye(hello + reason), []string{"close 1000 " + reason}},
		{"7.3.6 longer reason", bye(hello + reason + "*"), []string{violated}},
		{"7.5.1 reason is not UTF-8", bye(hello + "\xce\xba\xed\xa0\x80edited"), []string{badUTF8}},
		{"rubbish after a violation", last("") + text("a"), []string{violated}},
	}
	wire := func(code int) string { return string([]byte{byte(code >> 8), byte(code)}) }
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		rules = append(rules, rule{fmt.Sprintf("7.7.%d code %d", i+1, code), bye(wire(code)), []string{fmt.Sprintf("close %d ", code)}})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		rules = append(rules, rule{fmt.Sprintf("7.9.%d code %d", i+1, code), bye(wire(code) + "no"), []string{violated}})
	}
	return rules
}

func lengths() (rules []rule) {
	m := string([]byte{0, 0, 0, 0})
	rules = []rule{
		{"16 bits for 125", "\x81\xfe\x00\x7d" + m + strings.Repeat("a", 125), []string{violated}},
		{"16 bits for 126", "\x81\xfe\x00\x7e" + m + strings.Repeat("a", 126), []string{"text " + strings.Repeat("a", 126)}},
		{"64 bits for 65535", "\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" + m, []string{violated}},
		{"64 bits for 0", "\x81\xff\x00\x00\x00\x00\x00\x00\x00\x00" + m, []string{violated}},
		{"the 64th bit", "\x81\xff\x80\x00\x00\x00\x00\x01\x00\x00" + m, []string{violated}},
		{"all 64 bits", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + m, []string{violated}},
		{"63 bits", "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + m, []string{tooLarge}},
		{"63 bits more", begin("a") + "\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + m, []string{tooLarge}},
	}
	for i, n := range []int{64 << 10, 256 << 10, 1 << 20} {
		s := strings.Repeat("BAsd7&jh23", n/10+1)[:n]
		rules = append(rules,
			rule{fmt.Sprintf("9.1.%d text of %d", i+1, n), text(s), []string{"text " + s}},
			rule{fmt.Sprintf("9.2.%d binary of %d", i+1, n), binary(s), []string{"binary " + s}},
			rule{fmt.Sprintf("9.3.%d text of %d in 4096", i+1, n), fragments(websockettest.Text, s, 4096), []string{"text " + s}},
			rule{fmt.Sprintf("9.4.%d binary of %d in 64", i+1, n), fragments(websockettest.Binary, s, 64), []string{"binary " + s}})
	}
	return rules
}

func TestLimits(t *testing.T) {
	t.Parallel()
	lim := websocket.Limits{MaxFrame: 100, MaxMessage: 150, MaxFragments: 3}
	a := func(n int) string { return strings.Repeat("a", n) }
	for _, r := range []rule{
		{"frame", text(a(100)), []string{"text " + a(100)}},
		{"frame too large", text(a(101)), []string{tooLarge}},
		{"fails at the header", text(a(101))[:4], []string{tooLarge}},
		{"controls have their own limit", ping(a(125)), []string{"ping " + a(125)}},
		{"message", begin(a(100)) + last(a(50)), []string{"text " + a(150)}},
		{"message too large", begin(a(100)) + last(a(51)), []string{tooLarge}},
		{"fragments", begin("a") + more("") + last("b"), []string{"text ab"}},
		{"too many fragments", begin("a") + more("") + more("") + last("b"), []string{tooLarge}},
		{"pings are no fragments", begin("a") + ping("") + ping("") + ping("") + last("b"), []string{"ping ", "ping ", "ping ", "text ab"}},
		{"counted anew", begin("a") + last("b") + begin("a") + more(a(98)) + last("b"), []string{"text ab", "text a" + a(98) + "b"}},
		{"no binary", binary("a"), []string{"error 1003"}},
		{"no binary, at the first byte", "\x82", []string{"error 1003"}},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			check(t, r.in, lim, r.want)
		})
	}
}
