package route_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"tidings/services/notifier/route"
)

func TestFlushAt(t *testing.T) {
	t.Parallel()
	s := route.Collected{First: noon(), Last: noon().Add(20 * time.Minute), Count: 3}
	for _, c := range []struct {
		name   string
		digest route.Digest
		state  route.Collected
		want   time.Time
	}{
		{"empty", route.Digest{WindowSeconds: 3600}, route.Collected{}, time.Time{}},
		{"window", route.Digest{WindowSeconds: 3600}, s, noon().Add(time.Hour)},
		{"pause", route.Digest{WindowSeconds: 3600, DebounceSeconds: 300}, s, noon().Add(25 * time.Minute)},
		{"pause beyond the window", route.Digest{WindowSeconds: 1500, DebounceSeconds: 600}, s, noon().Add(25 * time.Minute)},
		{"full", route.Digest{WindowSeconds: 3600, Cap: 3}, s, noon().Add(20 * time.Minute)},
		{"not full", route.Digest{WindowSeconds: 3600, Cap: 4}, s, noon().Add(time.Hour)},
		{"full by default", route.Digest{WindowSeconds: 3600}, route.Collected{First: noon(), Last: noon(), Count: route.DefaultCap}, noon()},
	} {
		if got := c.digest.FlushAt(c.state); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestDigestLife fills a digest, closes it by its cap, by its window and by Sent.
func TestDigestLife(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.choice(route.Choice{Digest: &route.Digest{WindowSeconds: 3600, DebounceSeconds: 600, Cap: 3}})
	mail := func(at time.Duration, collapse string) route.Delivery {
		t.Helper()
		s.now, s.n.Collapse = noon().Add(at), collapse
		out, history := s.route()
		s.facts.History = history
		if out[1].Verdict != route.Digested {
			t.Fatalf("%+v", out[1])
		}
		return out[1]
	}
	first := mail(0, "a")
	second := mail(time.Minute, "a")
	if second.Digest != first.Digest || !second.At.Equal(noon().Add(11*time.Minute)) || s.facts.History.Digests[route.Mail].Count != 1 {
		t.Errorf("replaced as %+v, %+v", second, s.facts.History.Digests[route.Mail])
	}
	mail(2*time.Minute, "b")
	full := mail(3*time.Minute, "")
	if full.Digest != first.Digest || !full.At.Equal(noon().Add(3*time.Minute)) {
		t.Errorf("full is %+v", full)
	}
	next := mail(3*time.Minute, "")
	if next.Digest == first.Digest || !next.At.Equal(noon().Add(13*time.Minute)) {
		t.Errorf("after full is %+v", next)
	}
	late := mail(13*time.Minute, "")
	if late.Digest == next.Digest {
		t.Errorf("joined a digest that was due: %+v", late)
	}
	if _, ok := s.facts.History.Sent("ann", "orders", route.Mail, next.Digest); ok {
		t.Error("an older digest closed the one being filled")
	}
	history, ok := s.facts.History.Sent("ann", "orders", route.Mail, late.Digest)
	if !ok || history.Digests[route.Mail].Count != 0 {
		t.Errorf("sent leaves %+v", history)
	}
	s.facts.History = history
	if fresh := mail(13*time.Minute, ""); fresh.Digest == late.Digest {
		t.Error("a digest's name was used twice")
	}
}

func TestTake(t *testing.T) {
	t.Parallel()
	l := route.Limit{Count: 3, PerSeconds: 60}
	var debt time.Time
	take := func(at time.Duration, want bool) {
		t.Helper()
		next, ok := l.Take(debt, noon().Add(at))
		if ok != want || !ok && !next.Equal(debt) {
			t.Errorf("after %s: %v, want %v", at, ok, want)
		}
		debt = next
	}
	for _, want := range []bool{true, true, true, false} {
		take(0, want)
	}
	take(19*time.Second, false)
	take(20*time.Second, true)
	take(20*time.Second, false)
	take(time.Hour, true)
	take(time.Hour, true)
	// The clock is set back; nobody waits an hour for that.
	debt, _ = l.Take(debt, noon())
	take(20*time.Second, true)
	if _, ok := (route.Limit{}).Take(debt, noon()); !ok {
		t.Error("no limit is a limit")
	}
}

// TestOverflow shows that nothing over the limit is lost: it is in the digest.
func TestOverflow(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.rules(func(c *route.Category) {
		c.Limits = map[route.Channel]route.Limit{route.Mail: {Count: 2, PerSeconds: 60}}
	})
	var now, folded int
	for range 10 {
		out, history := s.route()
		s.facts.History = history
		switch out[1].Verdict {
		case route.Now:
			now++
		case route.Digested:
			folded++
		default:
			t.Errorf("%+v", out[1])
		}
	}
	if now != 2 || folded != 8 || s.facts.History.Digests[route.Mail].Count != 8 {
		t.Errorf("%d now, %d folded, %+v", now, folded, s.facts.History)
	}
}

func TestHistoryJSON(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.n.Collapse = "k"
	s.rules(func(c *route.Category) {
		c.Limits = map[route.Channel]route.Limit{route.SMS: {Count: 2, PerSeconds: 60}}
	})
	s.choice(route.Choice{Digest: &route.Digest{WindowSeconds: 60}})
	_, history := s.route()
	data, err := json.Marshal(history)
	if err != nil {
		t.Fatal(err)
	}
	var back route.History
	if err := json.Unmarshal(data, &back); err != nil || text(t, back) != text(t, history) || !reflect.DeepEqual(back.Digests, history.Digests) {
		t.Errorf("%+v came back as %+v, %v", history, back, err)
	}
}

// TestKeys pins what must never change: a release that made other keys would send
// again what the one before has sent.
func TestKeys(t *testing.T) {
	t.Parallel()
	c := route.Collected{Serial: 2, First: time.Unix(1_767_225_600, 0)}
	for _, k := range []struct{ name, got, want string }{
		{"job", route.JobKey("n1", route.Mail, "ann"), "039bbf716ea5924534e356ef09ae5861174b13ad"},
		{"another channel", route.JobKey("n1", route.SMS, "ann"), "8a63dd5e9f669265b4d1b21b1031279b6484542e"},
		{"the seam between parts", route.JobKey("n", "1mail", "ann"), "bf1a27c3daf76cb08d0c6737a0135504d0bf6568"},
		{"digest", route.DigestID("ann", "orders", route.Mail, c), "digest-926f8862a20ac65ac23cf3c289bde9ec2228688a"},
		{"collapse", route.CollapseKey("ann", "orders", "order-7"), "WLG9c4yXGq8m8Uz6KBWVJOhRxOWR2Ahc"},
		{"no collapse", route.CollapseKey("ann", "orders", ""), ""},
	} {
		if k.got != k.want {
			t.Errorf("%s: the key is %q, want %q", k.name, k.got, k.want)
		}
	}
}
