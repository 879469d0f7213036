package subject_test

import (
	"errors"
	"strings"
	"testing"

	"tidings/shared/subject"
)

func TestParseTopic(t *testing.T) {
	t.Parallel()
	long := "room." + strings.Repeat("a", subject.MaxLen-len("room."))
	deep := "room" + strings.Repeat(".a", subject.MaxTokens-1)
	for _, c := range []struct {
		in   string
		want error
	}{
		{"all", nil},
		{"user.ann", nil},
		{"user.ann=40example=2Ecom", nil},
		{"room.ops", nil},
		{"room.orders.eu.42", nil},
		{"room.=2A", nil},
		{long, nil},
		{deep, nil},
		{"", subject.ErrRoot},
		{".", subject.ErrRoot},
		{"ops", subject.ErrRoot},
		{"Room.ops", subject.ErrRoot},
		{"sys.canary.a", subject.ErrRoot},
		{"*", subject.ErrRoot},
		{">", subject.ErrRoot},
		{" all", subject.ErrRoot},
		{"all.a", subject.ErrSyntax},
		{"all.", subject.ErrSyntax},
		{"user", subject.ErrSyntax},
		{"user.", subject.ErrSyntax},
		{"user.a.b", subject.ErrSyntax},
		{"room", subject.ErrSyntax},
		{"room.", subject.ErrSyntax},
		{"room..a", subject.ErrSyntax},
		{"room.a.", subject.ErrSyntax},
		{"room.*", subject.ErrSyntax},
		{"room.>", subject.ErrSyntax},
		{"room.a b", subject.ErrSyntax},
		{"room.a\r\nPUB", subject.ErrSyntax},
		{"room.ö", subject.ErrSyntax},
		{"room.=61", subject.ErrSyntax},
		{long + "a", subject.ErrTooLong},
		{deep + ".a", subject.ErrTooLong},
		{strings.Repeat("x", 1<<20), subject.ErrTooLong},
	} {
		got, err := subject.ParseTopic(c.in)
		switch {
		case c.want == nil && (err != nil || string(got) != c.in):
			t.Errorf("ParseTopic(%.40q) = %.40q, %v", c.in, got, err)
		case c.want != nil && (!errors.Is(err, c.want) || got != ""):
			t.Errorf("ParseTopic(%.40q) = %.40q, %v; want %v", c.in, got, err, c.want)
		case err != nil && len(err.Error()) > 250:
			t.Errorf("ParseTopic(%.40q): an error of %d bytes", c.in, len(err.Error()))
		}
	}
}

func TestTopicsOfPlainNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got  subject.Topic
		want string
	}{
		{subject.All, "all"},
		{subject.User("ann"), "user.ann"},
		{subject.User("ann@example.com"), "user.ann=40example=2Ecom"},
		{subject.User("a.b"), "user.a=2Eb"},
		{subject.Room("ops"), "room.ops"},
		{subject.Room("a.b", "*", ">"), "room.a=2Eb.=2A.=3E"},
	} {
		if string(c.got) != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
		if _, err := subject.ParseTopic(string(c.got)); err != nil {
			t.Error(err)
		}
	}
}

func TestParsePattern(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"all", "user.ann", "room.ops", "user.*", "user.>", "room.*", "room.>", "room.a.*", "room.*.b", "room.a.>",
		"room.*.>", "*", ">", "*.a", "*.*", "*.>", "*.a.b",
	} {
		p, err := subject.ParsePattern(s)
		if err != nil || string(p) != s {
			t.Errorf("ParsePattern(%q) = %q, %v", s, p, err)
		}
		if exact := !strings.ContainsAny(s, "*>"); p.Exact() != exact {
			t.Errorf("%q: exact = %v, want %v", s, p.Exact(), exact)
		}
	}
	for s, want := range map[string]error{
		"": subject.ErrRoot, ">.a": subject.ErrRoot, "**": subject.ErrRoot, "ro*.a": subject.ErrRoot, "sys.>": subject.ErrRoot,
		"room": subject.ErrSyntax, "room.>.a": subject.ErrSyntax, "room.a*": subject.ErrSyntax, "room.**": subject.ErrSyntax,
		"room.>>": subject.ErrSyntax, "room.*.": subject.ErrSyntax, "user.*.*": subject.ErrSyntax, "all.>": subject.ErrSyntax,
		"*." + strings.Repeat("*.", subject.MaxTokens): subject.ErrTooLong,
	} {
		if p, err := subject.ParsePattern(s); !errors.Is(err, want) {
			t.Errorf("ParsePattern(%q) = %q, %v; want %v", s, p, err, want)
		}
	}
}

// FuzzParseTopic holds every topic that is accepted to be what went in, a NATS
// subject's tail, and made of tokens that stand for something.
func FuzzParseTopic(f *testing.F) {
	for _, s := range []string{"all", "user.ann", "room.a.b", "room.*", "user.=40", "room..", "user.=c3", "all.x", "room.\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		topic, err := subject.ParseTopic(s)
		if err != nil {
			if topic != "" {
				t.Fatalf("refused %q and returned %q", s, topic)
			}
			return
		}
		if string(topic) != s || len(s) > subject.MaxLen || !natsTokens(s, false) {
			t.Fatalf("ParseTopic(%q) = %q", s, topic)
		}
		for token := range strings.SplitSeq(s, ".") {
			if plain, err := subject.Unescape(token); err != nil || subject.Escape(plain) != token {
				t.Fatalf("%q: token %q stands for %q, %v", s, token, plain, err)
			}
		}
		if p, err := subject.ParsePattern(s); err != nil || !p.Exact() || !p.Match(topic) {
			t.Fatalf("topic %q is no pattern of itself: %v", s, err)
		}
	})
}

// FuzzParsePattern does the same for patterns.
func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{">", "*", "*.>", "room.*.b", "room.>", "user.>", "room.a*", "room.>.a", "all", "room.=2A"} {
		f.Add(s, "room.a.b")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		p, err := subject.ParsePattern(s)
		if err != nil {
			if p != "" {
				t.Fatalf("refused %q and returned %q", s, p)
			}
			return
		}
		if string(p) != s || len(s) > subject.MaxLen || !natsTokens(s, true) {
			t.Fatalf("ParsePattern(%q) = %q", s, p)
		}
		if _, err := subject.ParseTopic(s); (err == nil) != p.Exact() {
			t.Fatalf("%q: exact = %v, as a topic: %v", s, p.Exact(), err)
		}
		if !p.Covers(p) || !subject.Pattern(">").Covers(p) {
			t.Fatalf("%q is not covered by itself and by >", s)
		}
		if topic, err := subject.ParseTopic(other); err == nil && p.Match(topic) != selects(s, other) {
			t.Fatalf("%q matches %q: %v", s, other, p.Match(topic))
		}
	})
}
