package route

import (
	"slices"
	"time"

	"tidings/services/notifier/route/wall"
)

// router is one call of Route: everything that the questions are asked of.
type router struct {
	n        *Notification
	p        *Person
	prefs    *Preferences
	choice   Choice
	category string
	rules    Category
	facts    *Facts
	collapse string
	hours    wall.Hours
	now      time.Time
	// flush is set for a digest that is due: it is not collected or throttled again.
	flush bool
	// history is written to; it is a copy of the caller's.
	history History
}

// Route decides what becomes of n for p, and returns one Delivery for each of
// Channels in that order, and the History to store. n, prefs and categories must
// have been checked and n must have an ID.
func Route(n Notification, p Person, prefs Preferences, categories Categories, facts Facts, now time.Time) ([]Delivery, History) {
	r := newRouter(&n, &p, &prefs, categories, &facts, now)
	out := make([]Delivery, 0, len(Channels()))
	for _, c := range Channels() {
		out = append(out, r.channel(c))
	}
	return out, r.history
}

// Resume decides again about one channel of a notification that was Held there and is
// due now: preferences may have changed. The other channels have been dealt with.
func Resume(n Notification, p Person, prefs Preferences, categories Categories, facts Facts, c Channel, now time.Time) (Delivery, History) {
	r := newRouter(&n, &p, &prefs, categories, &facts, now)
	return r.channel(c), r.history
}

// Flush decides about a digest that is due: n is the notification made of what it
// collected, with DigestID as its ID. Preferences, suppression and quiet hours are
// asked again, since they may have changed; digests and throttles are not.
func Flush(n Notification, p Person, prefs Preferences, categories Categories, facts Facts, c Channel, now time.Time) Delivery {
	r := newRouter(&n, &p, &prefs, categories, &facts, now)
	r.flush = true
	return r.channel(c)
}

func newRouter(n *Notification, p *Person, prefs *Preferences, categories Categories, facts *Facts, now time.Time) *router {
	category := n.category()
	return &router{
		n: n, p: p, prefs: prefs, choice: prefs.Categories[category], category: category, rules: categories.Of(category),
		facts: facts, collapse: CollapseKey(p.User, category, n.Collapse),
		hours: prefs.QuietHours.In(p.TZ),
		now:   now.UTC(), history: facts.History.clone(),
	}
}

// channel asks the questions of the package comment, in that order.
func (r *router) channel(c Channel) Delivery {
	reason, on := r.wanted(c)
	if !on {
		return r.dropped(c, reason)
	}
	if !r.facts.has(c) {
		return r.dropped(c, Unavailable)
	}
	if r.address(c) == "" {
		return r.dropped(c, NoAddress)
	}
	if cause := r.facts.suppressed(c, r.category, r.rules.Transactional); cause != "" {
		return r.dropped(c, suppression(cause))
	}
	if r.expiredBy(r.now) {
		return r.dropped(c, Expired)
	}
	if r.n.At.After(r.now) {
		return r.held(c, r.n.At, Scheduled)
	}
	if r.n.Severity == Critical {
		return r.delivery(c, Now, r.now, ByCritical)
	}
	if muted := r.muted(); muted != "" && c.disturbs() {
		return r.dropped(c, muted)
	}
	if d, ok := r.digested(c); ok {
		return d
	}
	if c.disturbs() {
		if end := r.hours.Release(r.now); end.After(r.now) {
			return r.held(c, end, InQuietHours)
		}
	}
	return r.throttled(c, reason)
}

// wanted asks the person, from the particular to the general, and then the category.
// What is critical asks what is off only whether it would be on by default.
func (r *router) wanted(c Channel) (Reason, bool) {
	reason, on := r.asked(c)
	if !on && r.n.Severity == Critical && slices.Contains(r.rules.Channels, c) {
		return ByCritical, true
	}
	return reason, on
}

func (r *router) asked(c Channel) (Reason, bool) {
	if off(r.prefs.Enabled) {
		return AllOff, false
	}
	if off(r.choice.Enabled) {
		return CategoryOff, false
	}
	if on, chosen := r.choice.Channels[c]; chosen {
		return either(on, ByCategory, CategoryChannelOff), on
	}
	if on, chosen := r.prefs.Channels[c]; chosen {
		return either(on, ByChannel, ChannelOff), on
	}
	on := slices.Contains(r.rules.Channels, c)
	return either(on, ByDefault, NotDefault), on
}

func off(b *bool) bool { return b != nil && !*b }

func either(on bool, yes, no Reason) Reason {
	if on {
		return yes
	}
	return no
}

// address is where c reaches the person, or "".
func (r *router) address(c Channel) string {
	switch c {
	case Inbox:
		return r.p.User
	case Mail:
		return r.p.Email
	case SMS:
		return r.p.Phone
	case Hook:
		return r.rules.Hook
	case Push:
		if r.facts.Devices > 0 {
			return r.p.User
		}
	}
	return ""
}

// muted returns the mute that is in force, or "".
func (r *router) muted() Reason {
	switch {
	case r.prefs.MutedUntil.After(r.now):
		return Muted
	case r.choice.MutedUntil.After(r.now):
		return CategoryMuted
	}
	return ""
}

// expiredBy reports whether the notification is worthless at t.
func (r *router) expiredBy(t time.Time) bool {
	return !r.n.Expires.IsZero() && !t.Before(r.n.Expires)
}

// digest is what the person, or else the category, collects.
func (r *router) digest() Digest {
	if r.choice.Digest != nil {
		return *r.choice.Digest
	}
	return r.rules.Digest
}

// digested puts the notification into the digest, if there is one for the channel.
// One that would expire in there goes its own way instead: to collect is a wish, and
// no reason to lose it.
func (r *router) digested(c Channel) (Delivery, bool) {
	d := r.digest()
	if r.flush || !d.collects() || !c.disturbs() {
		return Delivery{}, false
	}
	out := r.join(c, d, InDigest)
	return out, out.Verdict == Digested
}

// throttled lets the notification pass if the limit does, and else puts it into the
// digest, or into one that is there for the overflow.
func (r *router) throttled(c Channel, reason Reason) Delivery {
	limit, ok := r.rules.Limits[c]
	if r.flush || !ok {
		return r.delivery(c, Now, r.now, reason)
	}
	next, ok := limit.Take(r.history.Debts[c], r.now)
	if !next.IsZero() {
		r.history.Debts[c] = next
	}
	if ok {
		return r.delivery(c, Now, r.now, reason)
	}
	d := r.digest()
	if !d.collects() {
		d = Digest{WindowSeconds: overflowWindow}
	}
	return r.join(c, d, Throttled)
}

// join adds the notification to the channel's digest, unless it would expire first.
func (r *router) join(c Channel, d Digest, reason Reason) Delivery {
	hold := func(t time.Time) time.Time { return t }
	if c.disturbs() {
		hold = r.hours.Release
	}
	next, flush := d.join(r.history.Digests[c], r.collapse, r.now, hold)
	if r.expiredBy(flush) {
		return r.dropped(c, ExpiresFirst)
	}
	r.history.Digests[c] = next
	out := r.delivery(c, Digested, flush, reason)
	out.Digest = DigestID(r.p.User, r.category, c, next)
	return out
}

// held makes it wait, unless it would expire first.
func (r *router) held(c Channel, until time.Time, reason Reason) Delivery {
	if r.expiredBy(until) {
		return r.dropped(c, ExpiresFirst)
	}
	return r.delivery(c, Held, until, reason)
}

func (r *router) dropped(c Channel, reason Reason) Delivery {
	return Delivery{Channel: c, Verdict: Dropped, Reason: reason, Why: reason.Why()}
}

func (r *router) delivery(c Channel, v Verdict, at time.Time, reason Reason) Delivery {
	return Delivery{
		Channel: c, Verdict: v, Address: r.address(c), At: at.UTC(), Collapse: r.collapse,
		Key: JobKey(r.n.ID, c, r.p.User), Reason: reason, Why: reason.Why(),
	}
}
