package subject_test

import (
	"slices"
	"strings"
	"testing"

	"tidings/shared/subject"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern subject.Pattern
		yes, no []subject.Topic
	}{
		{"all", []subject.Topic{"all"}, []subject.Topic{"user.all", "room.all"}},
		{">", []subject.Topic{"all", "user.a", "room.a.b.c"}, nil},
		{"*", []subject.Topic{"all"}, []subject.Topic{"user.a", "room.a"}},
		{"room.*", []subject.Topic{"room.a"}, []subject.Topic{"room.a.b", "user.a", "all"}},
		{"room.>", []subject.Topic{"room.a", "room.a.b"}, []subject.Topic{"all", "user.a"}},
		{"room.a.>", []subject.Topic{"room.a.b", "room.a.b.c"}, []subject.Topic{"room.a", "room.b.a"}},
		{"room.*.x", []subject.Topic{"room.a.x"}, []subject.Topic{"room.x", "room.a.y", "room.a.x.x"}},
		{"room.*.>", []subject.Topic{"room.a.b", "room.a.b.c"}, []subject.Topic{"room.a"}},
		{"*.a", []subject.Topic{"room.a", "user.a"}, []subject.Topic{"room.b", "all"}},
		{"room.ab", nil, []subject.Topic{"room.a", "room.abc", "room.AB"}},
	} {
		for _, topic := range c.yes {
			if !c.pattern.Match(topic) {
				t.Errorf("%q does not match %q", c.pattern, topic)
			}
		}
		for _, topic := range c.no {
			if c.pattern.Match(topic) {
				t.Errorf("%q matches %q", c.pattern, topic)
			}
		}
	}
}

// TestCovers compares Covers with its definition by counting out a small world:
// p covers q if and only if every subject that q selects is selected by p. The
// world has a token that no pattern names, and is one token longer than the
// patterns, so that nothing looks covered by accident.
func TestCovers(t *testing.T) {
	t.Parallel()
	var patterns, subjects []string
	for _, s := range words(3, "room", "user", "all", "a", "*", ">") {
		if _, err := subject.ParsePattern(s); err == nil {
			patterns = append(patterns, s)
		}
	}
	subjects = words(4, "room", "user", "all", "a", "fresh")
	if len(patterns) < 40 {
		t.Fatalf("only %d patterns", len(patterns))
	}
	selected := make([][]bool, len(patterns))
	for i, p := range patterns {
		selected[i] = make([]bool, len(subjects))
		for n, s := range subjects {
			selected[i][n] = selects(p, s)
			if got := subject.Pattern(p).Match(subject.Topic(s)); got != selected[i][n] {
				t.Fatalf("%q matches %q: %v", p, s, got)
			}
		}
	}
	for i, p := range patterns {
		for j, q := range patterns {
			want := true
			for n := range subjects {
				want = want && (selected[i][n] || !selected[j][n])
			}
			if got := subject.Pattern(p).Covers(subject.Pattern(q)); got != want {
				t.Errorf("%q covers %q: %v, want %v", p, q, got, want)
			}
		}
	}
}

// TestCoversIsStrict shows where Covers refuses although no topic tells the two
// apart: it compares what NATS subjects could exist, not what topics do.
func TestCoversIsStrict(t *testing.T) {
	t.Parallel()
	for p, q := range map[subject.Pattern]subject.Pattern{"user.*": "user.>", "all": "*"} {
		if p.Covers(q) {
			t.Errorf("%q covers %q", p, q)
		}
		if !q.Covers(p) {
			t.Errorf("%q does not cover %q", q, p)
		}
	}
}

// words returns all sequences of up to n of the tokens, as subjects.
func words(n int, tokens ...string) []string {
	all, last := []string{}, []string{""}
	for range n {
		var next []string
		for _, w := range last {
			for _, token := range tokens {
				next = append(next, strings.TrimPrefix(w+"."+token, "."))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// selects is NATS's rule of matching, written down as naively as it goes.
func selects(pattern, subj string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subj, ".")
	if i := slices.Index(p, ">"); i >= 0 {
		if len(s) <= i {
			return false
		}
		p, s = p[:i], s[:i]
	}
	return slices.EqualFunc(p, s, func(x, y string) bool { return x == "*" || x == y })
}
