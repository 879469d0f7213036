package route

import (
	"maps"
	"slices"
	"time"
)

// Facts is what is known of a person beside their addresses and preferences.
type Facts struct {
	// Channels are those that somebody sends over here; none means all.
	Channels []Channel `json:"channels,omitempty"`
	// Devices is how many push subscriptions they have.
	Devices int `json:"devices,omitempty"`
	// Suppressed are the entries of the suppression list for their addresses.
	Suppressed []Suppression `json:"suppressed,omitempty"`
	// History is what Route returned for the person and the category before.
	History History `json:"history,omitzero"`
}

// History is the state of throttles and digests for one person and one category. It
// is stored as JSON between two calls.
type History struct {
	// Debts is the state of Limit.Take by channel.
	Debts map[Channel]time.Time `json:"debts,omitempty"`
	// Digests are those being filled, by channel. Whoever has sent one clears it with Sent.
	Digests map[Channel]Collected `json:"digests,omitempty"`
}

// clone returns a copy whose maps may be written to.
func (h History) clone() History {
	out := History{Debts: maps.Clone(h.Debts), Digests: maps.Clone(h.Digests)}
	if out.Debts == nil {
		out.Debts = map[Channel]time.Time{}
	}
	if out.Digests == nil {
		out.Digests = map[Channel]Collected{}
	}
	return out
}

// Sent returns h after the digest with that id was sent, and whether it was the one
// being filled; if not, h is as it was.
func (h History) Sent(user, category string, c Channel, id string) (History, bool) {
	s, ok := h.Digests[c]
	if !ok || s.Count == 0 || DigestID(user, category, c, s) != id {
		return h, false
	}
	out := h.clone()
	out.Digests[c] = Collected{Serial: s.Serial + 1}
	return out, true
}

// has reports whether somebody sends over c.
func (f Facts) has(c Channel) bool { return len(f.Channels) == 0 || slices.Contains(f.Channels, c) }

// Suppression is an address that must not be used.
type Suppression struct {
	// Channel is the address's.
	Channel Channel `json:"channel"`
	// Cause is one of the causes below.
	Cause Cause `json:"cause"`
	// Category limits it to one category; empty is all.
	Category string `json:"category,omitempty"`
}

// Cause is why an address must not be used.
type Cause string

// The causes.
const (
	// Bounced: the address does not exist.
	Bounced Cause = "bounced"
	// Complained: the person called it spam.
	Complained Cause = "complained"
	// Unsubscribed: the person used the link to unsubscribe.
	Unsubscribed Cause = "unsubscribed"
	// OptedOut: the person withdrew consent in a way the law protects, such as STOP.
	OptedOut Cause = "opted_out"
	// Blocked: an operator put it on the list.
	Blocked Cause = "blocked"
)

// suppressed returns the cause that keeps a category from the channel's address, or
// "". A general unsubscribe does not stop what is transactional; any other cause
// stops everything. A cause that this release does not know stops, too.
func (f Facts) suppressed(c Channel, category string, transactional bool) Cause {
	for _, s := range f.Suppressed {
		if s.Channel != c || s.Category != "" && s.Category != category {
			continue
		}
		if s.Cause == Unsubscribed && s.Category == "" && transactional {
			continue
		}
		return s.Cause
	}
	return ""
}
