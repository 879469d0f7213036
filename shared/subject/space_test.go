package subject_test

import (
	"errors"
	"strings"
	"testing"

	"tidings/shared/subject"
)

func TestNewSpace(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"tidings", "t", "team-a", "A_1"} {
		if s, err := subject.NewSpace(prefix); err != nil || s.Prefix() != prefix {
			t.Errorf("NewSpace(%q) = %q, %v", prefix, s.Prefix(), err)
		}
	}
	for _, prefix := range []string{"", "a.b", "*", ">", "a b", "=40", "$SYS", "ä", "a\n"} {
		if s, err := subject.NewSpace(prefix); !errors.Is(err, subject.ErrSyntax) {
			t.Errorf("NewSpace(%q) = %q, %v; want ErrSyntax", prefix, s.Prefix(), err)
		}
	}
}

func TestSpaceNames(t *testing.T) {
	t.Parallel()
	s := space(t, "tidings")
	for _, c := range []struct{ got, want string }{
		{s.Events("room.ops"), "tidings.ev.room.ops"},
		{s.Events(">"), "tidings.ev.>"},
		{s.Events("user.*"), "tidings.ev.user.*"},
		{s.Ephemeral("room.ops"), "tidings.eph.room.ops"},
		{s.Control("revoke"), "tidings.ctl.revoke"},
		{s.Canary("edge-1"), "tidings.ev.sys.canary.edge-1"},
		{s.Service("edge", "T4G", "topics"), "tidings.svc.edge.T4G.topics"},
		{s.Canary("a.b c"), "tidings.ev.sys.canary.a=2Eb=20c"},
		{s.Stream("EVENTS"), "tidings_EVENTS"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if p := subject.Pattern(">"); !strings.HasPrefix(s.Canary("n"), strings.TrimSuffix(s.Events(p), ">")) {
		t.Error("canaries lie outside of the stream's subjects")
	}
}

func TestSpaceTopics(t *testing.T) {
	t.Parallel()
	s := space(t, "tidings")
	for _, c := range []struct {
		subject         string
		event, fleeting subject.Topic
	}{
		{"tidings.ev.room.ops", "room.ops", ""},
		{"tidings.ev.all", "all", ""},
		{"tidings.ev.user.ann=40example=2Ecom", "user.ann=40example=2Ecom", ""},
		{"tidings.eph.room.ops", "", "room.ops"},
		{"", "", ""},
		{"tidings", "", ""},
		{"tidings.ev", "", ""},
		{"tidings.ev.", "", ""},
		{"tidings.ev.room", "", ""},
		{"tidings.ev.room.", "", ""},
		{"tidings.ev.room.=61", "", ""},
		{"tidings.ev.room.*", "", ""},
		{"tidings.ev.sys.canary.n", "", ""},
		{"tidings.evx.room.ops", "", ""},
		{"tidings.ctl.room.ops", "", ""},
		{"tidingsx.ev.room.ops", "", ""},
		{"xtidings.ev.room.ops", "", ""},
		{"TIDINGS.ev.room.ops", "", ""},
	} {
		if got, ok := s.EventTopic(c.subject); got != c.event || ok != (c.event != "") {
			t.Errorf("EventTopic(%q) = %q, %v", c.subject, got, ok)
		}
		if got, ok := s.EphemeralTopic(c.subject); got != c.fleeting || ok != (c.fleeting != "") {
			t.Errorf("EphemeralTopic(%q) = %q, %v", c.subject, got, ok)
		}
	}
}

// FuzzSpace holds the two directions to be inverses of each other, below any
// prefix and for any subject.
func FuzzSpace(f *testing.F) {
	f.Add("tidings", "tidings.ev.room.ops", "room.ops")
	f.Add("a", "a.eph.user.b", "user.*")
	f.Add("a-b", "a-b.ev.sys.canary.x", "all")
	f.Add("", ".ev.all", ">")
	f.Add("ev", "ev.ev.all", "*.ev")
	f.Fuzz(func(t *testing.T, prefix, subj, name string) {
		s, err := subject.NewSpace(prefix)
		if err != nil {
			return
		}
		event, isEvent := s.EventTopic(subj)
		fleeting, isFleeting := s.EphemeralTopic(subj)
		switch {
		case isEvent && isFleeting:
			t.Fatalf("%q is two things", subj)
		case isEvent && s.Events(subject.Pattern(event)) != subj, isFleeting && s.Ephemeral(subject.Pattern(fleeting)) != subj:
			t.Fatalf("%q is the subject of %q%q", subj, event, fleeting)
		}
		if p, err := subject.ParsePattern(name); err == nil {
			for _, subj := range []string{s.Events(p), s.Ephemeral(p)} {
				if !natsTokens(subj, true) {
					t.Fatalf("%q is no NATS subject", subj)
				}
			}
			if got, ok := s.EventTopic(s.Events(p)); ok != p.Exact() || ok && string(got) != name {
				t.Fatalf("%q came back as %q, %v", name, got, ok)
			}
		}
		if name != "" {
			canary := s.Canary(name)
			if topic, ok := s.EventTopic(canary); ok || !natsTokens(canary, false) {
				t.Fatalf("canary %q is an event of %q", canary, topic)
			}
		}
	})
}

func space(t *testing.T, prefix string) subject.Space {
	t.Helper()
	s, err := subject.NewSpace(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
