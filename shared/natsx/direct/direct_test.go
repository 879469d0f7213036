package direct_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
	"tidings/shared/natsx/direct"
	"tidings/shared/testkit"
)

// stock makes a stream of five messages, one of which is gone.
func stock(t *testing.T, body string) *natsx.Conn {
	t.Helper()
	conn := testkit.NATS(t)
	s, err := conn.JS.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, AllowDirect: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, subj := range []string{"s.a", "s.b", "s.a", "s.b", "s.a"} {
		// Headers of the server's own names are the publisher's to send.
		m := &nats.Msg{Subject: subj, Data: []byte(body), Header: nats.Header{"X": {"y"}, jetstream.SubjectHeader: {"z"}, "Status": {"404"}}}
		if _, err := conn.JS.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestOne(t *testing.T) {
	t.Parallel()
	conn := stock(t, "body")
	for what, get := range map[string]func(seq uint64, last string) (*nats.Msg, error){
		"direct": func(seq uint64, last string) (*nats.Msg, error) {
			if last != "" {
				return direct.Last(t.Context(), conn, "S", last)
			}
			return direct.At(t.Context(), conn, "S", seq)
		},
		"leader": func(seq uint64, last string) (*nats.Msg, error) {
			if last != "" {
				return direct.LastAtLeader(t.Context(), conn, "S", last)
			}
			return direct.AtLeader(t.Context(), conn, "S", seq)
		},
	} {
		for _, c := range []struct {
			seq  uint64
			last string
			want uint64
			subj string
		}{{2, "", 2, "s.b"}, {3, "", 0, ""}, {99, "", 0, ""}, {0, "s.a", 5, "s.a"}, {0, "s.b", 4, "s.b"}, {0, "s.c", 0, ""}} {
			m, err := get(c.seq, c.last)
			if err != nil || (m != nil) != (c.want > 0) {
				t.Errorf("%s: %+v: %v, %v", what, c, m, err)
				continue
			}
			if m == nil {
				continue
			}
			if direct.Sequence(m) != c.want || direct.Subject(m) != c.subj || string(m.Data) != "body" || m.Header.Get("X") != "y" {
				t.Errorf("%s: %+v: %v", what, c, m)
			}
		}
	}
	if _, err := direct.AtLeader(t.Context(), conn, "none", 1); err == nil {
		t.Error("a stream that is not there has an answer")
	}
	if _, err := direct.At(t.Context(), conn, "none", 1); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a stream that is not there: %v", err)
	}
	if _, err := direct.Page(t.Context(), conn, "none", ">", 1, 9); !errors.Is(err, nats.ErrNoResponders) || !errors.Is(err, natsx.ErrAway) {
		t.Errorf("a page of a stream that is not there: %v", err)
	}
	conn.Embedded().Stop()
	if _, err := direct.AtLeader(t.Context(), conn, "S", 1); !errors.Is(err, natsx.ErrAway) {
		t.Errorf("without NATS: %v", err)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	conn := stock(t, "body")
	p, err := direct.Page(t.Context(), conn, "S", "s.*", 1, 3)
	if err != nil || len(p.List) != 3 || p.Next != 5 || !p.More || p.Pending != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = direct.Page(t.Context(), conn, "S", "s.a", p.Next, 3)
	if err != nil || len(p.List) != 1 || p.Next != 6 || p.More || p.Pending != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = direct.Page(t.Context(), conn, "S", "s.c", 1, 3)
	if err != nil || len(p.List) != 0 || p.Next != 1 || p.More {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestLarge has more bytes than a page.
func TestLarge(t *testing.T) {
	t.Parallel()
	conn := stock(t, strings.Repeat("x", 1000<<10))
	for range 3 {
		if _, err := conn.JS.Publish(t.Context(), "s.a", make([]byte, 1000<<10)); err != nil {
			t.Fatal(err)
		}
	}
	n, pages := 0, 0
	for p := (direct.Messages{Next: 1, More: true}); p.More; pages++ {
		var err error
		if p, err = direct.Page(t.Context(), conn, "S", "s.*", p.Next, 100); err != nil {
			t.Fatal(err)
		}
		n += len(p.List)
	}
	if n != 7 || pages != 2 {
		t.Errorf("%d messages on %d pages", n, pages)
	}
}
