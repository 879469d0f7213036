package route

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// DefaultCategory is the category of notifications that name none, and whose rules
// hold for names that are not configured.
const DefaultCategory = "default"

// Category is the rules for one kind of notification, as the installation sets them.
type Category struct {
	// Title is what people read on the page of preferences.
	Title string `json:"title,omitempty"`
	// Channels are used unless the person chose otherwise.
	Channels []Channel `json:"channels"`
	// Digest collects by default; the zero value does not.
	Digest Digest `json:"digest,omitzero"`
	// Limits throttle a channel per person; a channel without one is not throttled.
	Limits map[Channel]Limit `json:"limits,omitempty"`
	// Hook names the endpoint of channel hook.
	Hook string `json:"hook,omitempty"`
	// Transactional says that it answers something the person did, such as a password
	// reset. It passes a general unsubscribe, which is about news; never a bounce, a
	// complaint or an opt-out from text messages.
	Transactional bool `json:"transactional,omitempty"`
	// Duplicates says that sending twice is better than perhaps not at all, so an
	// ambiguous result may fail over to another provider.
	Duplicates bool `json:"duplicates,omitempty"`
}

// Categories are all rules by name.
type Categories map[string]Category

// DefaultCategories returns the categories of an installation that configures none.
// Nothing costs money or needs a phone unless the person turns it on.
func DefaultCategories() Categories {
	return Categories{
		DefaultCategory: {
			Title: "Everything else", Channels: []Channel{Inbox, Mail, Push},
			Limits: map[Channel]Limit{Push: {Count: 20, PerSeconds: 3600}, Mail: {Count: 30, PerSeconds: 3600}, SMS: {Count: 5, PerSeconds: 3600}},
		},
		"account": {Title: "Your account", Channels: []Channel{Inbox, Mail}, Transactional: true},
		"alerts": {
			Title: "Alerts", Channels: []Channel{Inbox, Push, Mail},
			Limits: map[Channel]Limit{Push: {Count: 10, PerSeconds: 600}, Mail: {Count: 10, PerSeconds: 3600}, SMS: {Count: 5, PerSeconds: 3600}},
		},
		"orders":   {Title: "Orders", Channels: []Channel{Inbox, Mail, Push}},
		"comments": {Title: "Comments and mentions", Channels: []Channel{Inbox, Mail, Push}, Digest: Digest{WindowSeconds: 900, DebounceSeconds: 180, Cap: 20}},
		"news":     {Title: "News", Channels: []Channel{Inbox, Mail}, Digest: Digest{WindowSeconds: 24 * 3600, Cap: 50}},
	}
}

// ParseCategories reads the JSON of an installation's categories, strictly. Errors are
// *FaultsError, or *httpx.Problem where the JSON itself is broken.
func ParseCategories(data []byte) (Categories, error) {
	var c Categories
	if err := decode(data, MaxPreferences, &c); err != nil {
		return nil, err
	}
	return c, c.Check()
}

// Of returns the rules for a category, those of DefaultCategory if it has none, or
// the inbox alone if there are none at all.
func (c Categories) Of(name string) Category {
	for _, n := range [...]string{name, DefaultCategory} {
		if rules, ok := c[n]; ok {
			return rules
		}
	}
	return Category{Channels: []Channel{Inbox}}
}

// Check reports every fault of the rules as a *FaultsError.
func (c Categories) Check() error {
	var f faults
	for _, name := range slices.Sorted(maps.Keys(c)) {
		f.name(clip(name), name)
		c[name].check(&f, clip(name)+".")
	}
	return f.err("categories")
}

func (c Category) check(f *faults, prefix string) {
	f.line(prefix+"title", c.Title, maxTitle)
	seen := map[Channel]bool{}
	for i, ch := range c.Channels {
		param := prefix + "channels[" + strconv.Itoa(i) + "]"
		if !ch.known() {
			f.add(param, CodeBadValue, "is none of inbox, mail, push, sms and hook")
		} else if seen[ch] {
			f.add(param, CodeDuplicate, "is there twice")
		}
		seen[ch] = true
	}
	c.Digest.check(f, prefix+"digest.")
	for _, ch := range slices.Sorted(maps.Keys(c.Limits)) {
		param := prefix + "limits." + clip(string(ch))
		if !ch.known() {
			f.add(param, CodeBadValue, "is none of inbox, mail, push, sms and hook")
		}
		if l := c.Limits[ch]; l.Count < 1 || l.Count > maxCount || l.PerSeconds < 1 || l.per() > maxPer {
			f.add(param, CodeBadValue, "needs a count of 1 to %d and 1 to %d seconds", maxCount, int(maxPer/time.Second))
		}
	}
	if c.Hook != "" {
		f.name(prefix+"hook", c.Hook)
	}
}

// category is the name a notification goes by.
func (n *Notification) category() string {
	if n.Category == "" {
		return DefaultCategory
	}
	return n.Category
}
