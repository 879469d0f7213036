package route_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"tidings/services/notifier/route"
	"tidings/services/notifier/route/wall"
)

// TestRouteProperties asks many scenes, made by chance but always the same ones, for
// what must hold of each.
func TestRouteProperties(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		s := chance(rnd)
		before := text(t, s.facts, s.prefs, s.n)
		out, history := s.route()
		checkDeliveries(t, out)
		again, historyAgain := s.route()
		if text(t, out, history) != text(t, again, historyAgain) {
			t.Fatal("the same input gave another output")
		}
		if text(t, s.facts, s.prefs, s.n) != before {
			t.Fatal("the input was changed")
		}
		for _, d := range out {
			checkTime(t, s, d)
		}
		if t.Failed() {
			t.Fatalf("in %s", before)
		}
	}
}

// checkTime holds when a delivery may be.
func checkTime(t *testing.T, s *scene, d route.Delivery) {
	t.Helper()
	if d.Verdict == route.Dropped {
		return
	}
	disturbs := d.Channel == route.Mail || d.Channel == route.Push || d.Channel == route.SMS
	critical := s.n.Severity == route.Critical
	switch {
	case d.At.Before(s.now):
		t.Errorf("%+v is before now", d)
	case !s.n.Expires.IsZero() && !d.At.Before(s.n.Expires):
		t.Errorf("%+v is after the expiry", d)
	case critical && d.Verdict != route.Now && d.Reason != route.Scheduled:
		t.Errorf("%+v is critical and waits", d)
	case d.Verdict == route.Held && !d.At.After(s.now):
		t.Errorf("%+v is held for no time", d)
	case disturbs && !critical && d.Reason != route.Scheduled && !s.prefs.QuietHours.Release(d.At, s.p.TZ).Equal(d.At):
		t.Errorf("%+v is in quiet hours", d)
	case d.Reason == route.InQuietHours && s.prefs.QuietHours.Release(d.At.Add(-time.Second), s.p.TZ).Before(d.At):
		t.Errorf("%+v is not right at their end", d)
	}
}

// text is values as JSON, which orders maps.
func text(t *testing.T, values ...any) string {
	t.Helper()
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// chance makes a scene in which any of everything may be set.
func chance(rnd *rand.Rand) *scene {
	s := newScene()
	coin := func(in int) bool { return rnd.IntN(in) == 0 }
	some := func(most time.Duration) time.Time { return s.now.Add(time.Duration(rnd.Int64N(int64(2*most))) - most) }
	s.now = time.Date(2026, 3, 27, 0, 0, rnd.IntN(4*24*3600), 0, time.UTC)
	s.p.TZ = []string{"", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Pacific/Chatham"}[rnd.IntN(5)]
	s.n.Severity = []route.Severity{route.Low, route.Normal, route.High, route.Critical}[rnd.IntN(4)]
	if coin(5) {
		s.n.Expires = some(24 * time.Hour)
	}
	if coin(5) {
		s.n.At = some(24 * time.Hour)
	}
	if coin(2) {
		s.prefs.QuietHours = wall.Windows{{From: "22:00", To: "07:30"}, {From: "02:15", To: "02:45"}, {From: "07:30", To: "09:00", Days: []wall.Weekday{"sat", "sun"}}}
	}
	off := false
	if coin(8) {
		s.prefs.Enabled = &off
	}
	if coin(5) {
		s.prefs.MutedUntil = some(time.Hour)
	}
	choice := route.Choice{Channels: map[route.Channel]bool{}}
	for _, c := range route.Channels() {
		if coin(5) {
			choice.Channels[c] = coin(2)
		}
		if coin(8) {
			s.suppress(c, []route.Cause{route.Bounced, route.Unsubscribed, route.OptedOut}[rnd.IntN(3)], "")
		}
	}
	if coin(3) {
		choice.Digest = &route.Digest{WindowSeconds: 60 + rnd.IntN(86400), DebounceSeconds: rnd.IntN(60), Cap: 2 + rnd.IntN(3)}
	}
	s.choice(choice)
	debts, digests := map[route.Channel]time.Time{}, map[route.Channel]route.Collected{}
	for _, c := range route.Channels() {
		if coin(2) {
			debts[c] = some(time.Hour)
			first := s.now.Add(-time.Duration(rnd.IntN(3600)) * time.Second)
			digests[c] = route.Collected{First: first, Last: first.Add(s.now.Sub(first) / 2), Count: rnd.IntN(4)}
		}
	}
	s.facts.History = route.History{Debts: debts, Digests: digests}
	s.rules(func(c *route.Category) {
		c.Limits = map[route.Channel]route.Limit{route.Mail: {Count: 2, PerSeconds: 600}, route.Inbox: {Count: 1, PerSeconds: 60}}
	})
	return s
}
