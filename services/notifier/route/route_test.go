package route_test

import (
	"slices"
	"testing"
	"time"

	"tidings/services/notifier/route"
	"tidings/services/notifier/route/wall"
)

// night is within the quiet hours of the tests, noon is not.
func night() time.Time { return time.Date(2026, 1, 10, 23, 0, 0, 0, time.UTC) }
func noon() time.Time  { return time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC) }
func dawn() time.Time  { return time.Date(2026, 1, 11, 7, 0, 0, 0, time.UTC) }

// scene is an input of Route that cases change.
type scene struct {
	n          route.Notification
	p          route.Person
	prefs      route.Preferences
	categories route.Categories
	facts      route.Facts
	now        time.Time
}

func newScene() *scene {
	return &scene{
		n: route.Notification{Title: "Hello", Category: "orders", Severity: route.Normal, ID: "n1"},
		p: route.Person{User: "ann", Email: "ann@example.com", Phone: "+4930123456"},
		categories: route.Categories{
			"default": {Channels: []route.Channel{route.Inbox}},
			"orders":  {Channels: route.Channels(), Hook: "crm"},
		},
		facts: route.Facts{Devices: 1},
		now:   noon(),
	}
}

func (s *scene) route() ([]route.Delivery, route.History) {
	return route.Route(s.n, s.p, s.prefs, s.categories, s.facts, s.now)
}

func (s *scene) quiet() { s.prefs.QuietHours = wall.Windows{{From: "22:00", To: "07:00"}} }

func (s *scene) rules(change func(*route.Category)) {
	c := s.categories["orders"]
	change(&c)
	s.categories["orders"] = c
}

func (s *scene) choice(c route.Choice) { s.prefs.Categories = map[string]route.Choice{"orders": c} }

func (s *scene) suppress(c route.Channel, cause route.Cause, category string) {
	s.facts.Suppressed = append(s.facts.Suppressed, route.Suppression{Channel: c, Cause: cause, Category: category})
}

func TestRoute(t *testing.T) {
	t.Parallel()
	no := false
	hour := route.Digest{WindowSeconds: 3600}
	one := map[route.Channel]route.Limit{route.Mail: {Count: 1, PerSeconds: 3600}}
	spent := route.History{Debts: map[route.Channel]time.Time{route.Mail: noon().Add(time.Hour)}}
	for _, c := range []struct {
		name    string
		change  func(*scene)
		channel route.Channel
		verdict route.Verdict
		reason  route.Reason
		at      time.Time
	}{
		{"inbox", func(*scene) {}, route.Inbox, route.Now, route.ByDefault, noon()},
		{"mail", func(*scene) {}, route.Mail, route.Now, route.ByDefault, noon()},
		{"push", func(*scene) {}, route.Push, route.Now, route.ByDefault, noon()},
		{"sms", func(*scene) {}, route.SMS, route.Now, route.ByDefault, noon()},
		{"hook", func(*scene) {}, route.Hook, route.Now, route.ByDefault, noon()},
		{"no email", func(s *scene) { s.p.Email = "" }, route.Mail, route.Dropped, route.NoAddress, time.Time{}},
		{"no phone", func(s *scene) { s.p.Phone = "" }, route.SMS, route.Dropped, route.NoAddress, time.Time{}},
		{"no device", func(s *scene) { s.facts.Devices = 0 }, route.Push, route.Dropped, route.NoAddress, time.Time{}},
		{"no hook", func(s *scene) { s.rules(func(c *route.Category) { c.Hook = "" }) }, route.Hook, route.Dropped, route.NoAddress, time.Time{}},
		{"unknown category", func(s *scene) { s.n.Category = "x" }, route.Mail, route.Dropped, route.NotDefault, time.Time{}},
		{"no category", func(s *scene) { s.n.Category = "" }, route.Inbox, route.Now, route.ByDefault, noon()},
		{"no categories at all", func(s *scene) { s.categories = nil }, route.Inbox, route.Now, route.ByDefault, noon()},
		{"all off", func(s *scene) { s.prefs.Enabled = &no }, route.Inbox, route.Dropped, route.AllOff, time.Time{}},
		{"category off", func(s *scene) { s.choice(route.Choice{Enabled: &no}) }, route.Mail, route.Dropped, route.CategoryOff, time.Time{}},
		{"channel off", func(s *scene) { s.prefs.Channels = map[route.Channel]bool{route.Mail: false} }, route.Mail, route.Dropped, route.ChannelOff, time.Time{}},
		{"channel on", func(s *scene) {
			s.n.Category = "x"
			s.prefs.Channels = map[route.Channel]bool{route.Mail: true}
		}, route.Mail, route.Now, route.ByChannel, noon()},
		{"category before channel, off", func(s *scene) {
			s.prefs.Channels = map[route.Channel]bool{route.Mail: true}
			s.choice(route.Choice{Channels: map[route.Channel]bool{route.Mail: false}})
		}, route.Mail, route.Dropped, route.CategoryChannelOff, time.Time{}},
		{"category before channel, on", func(s *scene) {
			s.prefs.Channels = map[route.Channel]bool{route.Mail: false}
			s.choice(route.Choice{Channels: map[route.Channel]bool{route.Mail: true}})
		}, route.Mail, route.Now, route.ByCategory, noon()},
		{"all off before category on", func(s *scene) {
			s.prefs.Enabled = &no
			s.choice(route.Choice{Channels: map[route.Channel]bool{route.Mail: true}})
		}, route.Mail, route.Dropped, route.AllOff, time.Time{}},
		{"bounced", func(s *scene) { s.suppress(route.Mail, route.Bounced, "") }, route.Mail, route.Dropped, route.AddressBounced, time.Time{}},
		{"complained", func(s *scene) { s.suppress(route.Mail, route.Complained, "") }, route.Mail, route.Dropped, route.AddressComplained, time.Time{}},
		{"unsubscribed", func(s *scene) { s.suppress(route.Mail, route.Unsubscribed, "") }, route.Mail, route.Dropped, route.AddressUnsubscribed, time.Time{}},
		{"opted out", func(s *scene) { s.suppress(route.SMS, route.OptedOut, "") }, route.SMS, route.Dropped, route.AddressOptedOut, time.Time{}},
		{"blocked", func(s *scene) { s.suppress(route.Mail, route.Blocked, "") }, route.Mail, route.Dropped, route.AddressBlocked, time.Time{}},
		{"a cause of the future", func(s *scene) { s.suppress(route.Mail, "cursed", "") }, route.Mail, route.Dropped, route.AddressBlocked, time.Time{}},
		{"suppressed elsewhere", func(s *scene) { s.suppress(route.SMS, route.Bounced, "") }, route.Mail, route.Now, route.ByDefault, noon()},
		{"unsubscribed from this", func(s *scene) { s.suppress(route.Mail, route.Unsubscribed, "orders") }, route.Mail, route.Dropped, route.AddressUnsubscribed, time.Time{}},
		{"unsubscribed from others", func(s *scene) { s.suppress(route.Mail, route.Unsubscribed, "news") }, route.Mail, route.Now, route.ByDefault, noon()},
		{"transactional, unsubscribed", func(s *scene) {
			s.rules(func(c *route.Category) { c.Transactional = true })
			s.suppress(route.Mail, route.Unsubscribed, "")
		}, route.Mail, route.Now, route.ByDefault, noon()},
		{"transactional, bounced too", func(s *scene) {
			s.rules(func(c *route.Category) { c.Transactional = true })
			s.suppress(route.Mail, route.Unsubscribed, "")
			s.suppress(route.Mail, route.Bounced, "")
		}, route.Mail, route.Dropped, route.AddressBounced, time.Time{}},
		{"expired", func(s *scene) { s.n.Expires = noon() }, route.Inbox, route.Dropped, route.Expired, time.Time{}},
		{"not expired", func(s *scene) { s.n.Expires = noon().Add(1) }, route.Inbox, route.Now, route.ByDefault, noon()},
		{"scheduled", func(s *scene) { s.n.At = night() }, route.Inbox, route.Held, route.Scheduled, night()},
		{"scheduled before", func(s *scene) { s.n.At = noon().Add(-1) }, route.Mail, route.Now, route.ByDefault, noon()},
		{"scheduled and critical", func(s *scene) { s.n.At, s.n.Severity = night(), route.Critical }, route.Mail, route.Held, route.Scheduled, night()},
		{"muted", func(s *scene) { s.prefs.MutedUntil = night() }, route.Push, route.Dropped, route.Muted, time.Time{}},
		{"muted inbox", func(s *scene) { s.prefs.MutedUntil = night() }, route.Inbox, route.Now, route.ByDefault, noon()},
		{"muted hook", func(s *scene) { s.prefs.MutedUntil = night() }, route.Hook, route.Now, route.ByDefault, noon()},
		{"mute is over", func(s *scene) { s.prefs.MutedUntil = noon() }, route.Push, route.Now, route.ByDefault, noon()},
		{"category muted", func(s *scene) { s.choice(route.Choice{MutedUntil: night()}) }, route.SMS, route.Dropped, route.CategoryMuted, time.Time{}},
		{"quiet mail", func(s *scene) { s.quiet(); s.now = night() }, route.Mail, route.Held, route.InQuietHours, dawn()},
		{"quiet push", func(s *scene) { s.quiet(); s.now = night() }, route.Push, route.Held, route.InQuietHours, dawn()},
		{"quiet inbox", func(s *scene) { s.quiet(); s.now = night() }, route.Inbox, route.Now, route.ByDefault, night()},
		{"quiet hook", func(s *scene) { s.quiet(); s.now = night() }, route.Hook, route.Now, route.ByDefault, night()},
		{"quiet is over", func(s *scene) { s.quiet(); s.now = dawn() }, route.Mail, route.Now, route.ByDefault, dawn()},
		{"quiet in the person's zone", func(s *scene) {
			s.quiet()
			s.p.TZ, s.now = "Asia/Kathmandu", night().Add(-6*time.Hour)
		}, route.Mail, route.Held, route.InQuietHours, dawn().Add(-5*time.Hour - 45*time.Minute)},
		{"quiet and high", func(s *scene) { s.quiet(); s.now, s.n.Severity = night(), route.High }, route.Push, route.Held, route.InQuietHours, dawn()},
		{"quiet till after expiry", func(s *scene) { s.quiet(); s.now, s.n.Expires = night(), dawn() }, route.Mail, route.Dropped, route.ExpiresFirst, time.Time{}},
		{"critical at night", func(s *scene) { s.quiet(); s.now, s.n.Severity = night(), route.Critical }, route.SMS, route.Now, route.ByCritical, night()},
		{"critical and all off", func(s *scene) { s.prefs.Enabled, s.n.Severity = &no, route.Critical }, route.Mail, route.Now, route.ByCritical, noon()},
		{"critical and muted", func(s *scene) { s.prefs.MutedUntil, s.n.Severity = night(), route.Critical }, route.Push, route.Now, route.ByCritical, noon()},
		{"critical, not default", func(s *scene) { s.n.Category, s.n.Severity = "x", route.Critical }, route.SMS, route.Dropped, route.NotDefault, time.Time{}},
		{"critical and bounced", func(s *scene) { s.n.Severity = route.Critical; s.suppress(route.Mail, route.Bounced, "") }, route.Mail, route.Dropped, route.AddressBounced, time.Time{}},
		{"critical and opted out", func(s *scene) { s.n.Severity = route.Critical; s.suppress(route.SMS, route.OptedOut, "") }, route.SMS, route.Dropped, route.AddressOptedOut, time.Time{}},
		{"critical and collected", func(s *scene) { s.n.Severity = route.Critical; s.choice(route.Choice{Digest: &hour}) }, route.Mail, route.Now, route.ByCritical, noon()},
		{"critical and too many", func(s *scene) {
			s.n.Severity, s.facts.History = route.Critical, spent
			s.rules(func(c *route.Category) { c.Limits = one })
		}, route.Mail, route.Now, route.ByCritical, noon()},
		{"collected by choice", func(s *scene) { s.choice(route.Choice{Digest: &hour}) }, route.Mail, route.Digested, route.InDigest, noon().Add(time.Hour)},
		{"collected by default", func(s *scene) { s.rules(func(c *route.Category) { c.Digest = hour }) }, route.Push, route.Digested, route.InDigest, noon().Add(time.Hour)},
		{"each at once by choice", func(s *scene) {
			s.rules(func(c *route.Category) { c.Digest = hour })
			s.choice(route.Choice{Digest: &route.Digest{}})
		}, route.Mail, route.Now, route.ByDefault, noon()},
		{"inbox is not collected", func(s *scene) { s.choice(route.Choice{Digest: &hour}) }, route.Inbox, route.Now, route.ByDefault, noon()},
		{"digest over the night", func(s *scene) { s.quiet(); s.choice(route.Choice{Digest: &hour}); s.now = night() }, route.Mail, route.Digested, route.InDigest, dawn()},
		{"digest into the night", func(s *scene) {
			s.quiet()
			s.choice(route.Choice{Digest: &hour})
			s.now = night().Add(-90 * time.Minute)
		}, route.Mail, route.Digested, route.InDigest, dawn()},
		{"digest is too slow", func(s *scene) { s.choice(route.Choice{Digest: &hour}); s.n.Expires = noon().Add(time.Minute) }, route.Mail, route.Now, route.ByDefault, noon()},
		{"within the limit", func(s *scene) { s.rules(func(c *route.Category) { c.Limits = one }) }, route.Mail, route.Now, route.ByDefault, noon()},
		{"over the limit", func(s *scene) { s.facts.History = spent; s.rules(func(c *route.Category) { c.Limits = one }) }, route.Mail, route.Digested, route.Throttled, noon().Add(time.Hour)},
		{"over the limit, expires", func(s *scene) {
			s.facts.History, s.n.Expires = spent, noon().Add(time.Minute)
			s.rules(func(c *route.Category) { c.Limits = one })
		}, route.Mail, route.Dropped, route.ExpiresFirst, time.Time{}},
		{"limit of another channel", func(s *scene) { s.facts.History = spent; s.rules(func(c *route.Category) { c.Limits = one }) }, route.SMS, route.Now, route.ByDefault, noon()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			c.change(s)
			out, _ := s.route()
			d := out[slices.Index(route.Channels(), c.channel)]
			if d.Channel != c.channel || d.Verdict != c.verdict || d.Reason != c.reason || !d.At.Equal(c.at) {
				t.Errorf("%s %s at %s because of %s, want %s at %s because of %s", d.Channel, d.Verdict, d.At, d.Reason, c.verdict, c.at, c.reason)
			}
			checkDeliveries(t, out)
		})
	}
}

// checkDeliveries holds what is true of every answer.
func checkDeliveries(t *testing.T, out []route.Delivery) {
	t.Helper()
	var channels []route.Channel
	for _, d := range out {
		channels = append(channels, d.Channel)
		used := d.Verdict != route.Dropped
		if used != (d.Address != "") || used != (d.Key != "") || used != !d.At.IsZero() || d.Reason == "" || d.Why == "" || (d.Verdict == route.Digested) != (d.Digest != "") {
			t.Errorf("half a delivery: %+v", d)
		}
	}
	if !slices.Equal(channels, route.Channels()) {
		t.Errorf("the channels are %v", channels)
	}
}

func TestResumeAndFlush(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.quiet()
	s.now = night()
	held, history := s.route()
	s.facts.History, s.now = history, held[1].At
	again, _ := route.Resume(s.n, s.p, s.prefs, s.categories, s.facts, route.Mail, s.now)
	if again.Verdict != route.Now || again.Key != held[1].Key {
		t.Errorf("resumed as %+v, held as %+v", again, held[1])
	}
	s.choice(route.Choice{Channels: map[route.Channel]bool{route.Mail: false}})
	if again, _ = route.Resume(s.n, s.p, s.prefs, s.categories, s.facts, route.Mail, s.now); again.Reason != route.CategoryChannelOff {
		t.Errorf("a change of mind is %+v", again)
	}
	s.choice(route.Choice{Digest: &route.Digest{WindowSeconds: 3600}})
	if d := route.Flush(s.n, s.p, s.prefs, s.categories, s.facts, route.Mail, s.now); d.Verdict != route.Now {
		t.Errorf("a due digest is %+v", d)
	}
	if d := route.Flush(s.n, s.p, s.prefs, s.categories, s.facts, route.Mail, night()); d.Verdict != route.Held {
		t.Errorf("a digest at night is %+v", d)
	}
}

func BenchmarkRoute(b *testing.B) {
	s := newScene()
	s.quiet()
	s.p.TZ = "Europe/Berlin"
	b.ReportAllocs()
	for b.Loop() {
		s.route()
	}
}
