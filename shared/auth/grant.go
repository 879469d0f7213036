package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"tidings/shared/subject"
)

// Grant is what a verified caller may do. It is immutable once handed out and may
// be shared; a nil Grant may do nothing.
type Grant struct {
	// User is the plain user id; the user's own topic is subject.User(User).
	User string
	// Sub and Pub are the patterns that may be read and published to.
	Sub, Pub []subject.Pattern
	// Notify allows sending notifications.
	Notify bool
	// Admin allows everything.
	Admin bool
	// Expires is when the grant ends: the token's exp. The zero time means never;
	// only a local development grant has it. A token accepted within the leeway
	// after its exp ends with the leeway, so no grant is born expired.
	Expires time.Time
	// TokenID is the token's jti, "" if it has none. It names the token for revocation.
	TokenID string
}

// MaySubscribe reports whether everything p selects may be read: the user's own
// topic and "all" always, else what one pattern of Sub covers entirely.
func (g *Grant) MaySubscribe(p subject.Pattern) bool {
	if g == nil {
		return false
	}
	if g.Admin || p == subject.Pattern(subject.All) {
		return true
	}
	if g.User != "" && p == subject.Pattern(subject.User(g.User)) {
		return true
	}
	return covered(g.Sub, p)
}

// MayPublish reports whether t may be published to: only what a pattern of Pub
// selects. Reading a topic, even one's own, does not allow writing to it.
func (g *Grant) MayPublish(t subject.Topic) bool {
	return g != nil && (g.Admin || covered(g.Pub, subject.Pattern(t)))
}

// Expired reports whether the grant has ended at now. A nil Grant has.
func (g *Grant) Expired(now time.Time) bool {
	return g == nil || !g.Expires.IsZero() && !now.Before(g.Expires)
}

// String describes the grant for logs. It holds no credential: neither the user
// nor the token's id lets anyone in.
func (g *Grant) String() string {
	if g == nil {
		return "grant(none)"
	}
	return fmt.Sprintf("grant(user=%q sub=%d pub=%d notify=%t admin=%t expires=%s id=%q)",
		g.User, len(g.Sub), len(g.Pub), g.Notify, g.Admin, g.Expires.UTC().Format(time.RFC3339), g.TokenID)
}

// LogValue is String in slog's attributes.
func (g *Grant) LogValue() slog.Value {
	if g == nil {
		return slog.StringValue("none")
	}
	return slog.GroupValue(
		slog.String("user", g.User),
		slog.Int("sub", len(g.Sub)),
		slog.Int("pub", len(g.Pub)),
		slog.Bool("notify", g.Notify),
		slog.Bool("admin", g.Admin),
		slog.Time("expires", g.Expires),
		slog.String("id", g.TokenID),
	)
}

// grantDocument is a Grant between the nodes of one installation. The pointer tells
// an absent time from a zero one: a grant that lost its expiry must not become one
// for ever.
type grantDocument struct {
	User    string     `json:"user"`
	Sub     []string   `json:"sub,omitempty"`
	Pub     []string   `json:"pub,omitempty"`
	Notify  bool       `json:"notify,omitempty"`
	Admin   bool       `json:"admin,omitempty"`
	Expires *time.Time `json:"expires"`
	TokenID string     `json:"id,omitempty"`
}

// MarshalJSON writes the grant for another node of ours. It holds no credential, and
// is none: whoever can send it to a node is trusted with everything.
func (g *Grant) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(grantDocument{
		User: g.User, Sub: plain(g.Sub), Pub: plain(g.Pub), Notify: g.Notify, Admin: g.Admin, Expires: &g.Expires, TokenID: g.TokenID,
	})
	if err != nil {
		return nil, fmt.Errorf("encode grant: %w", err)
	}
	return b, nil
}

// UnmarshalJSON reads what MarshalJSON wrote and checks the patterns again.
func (g *Grant) UnmarshalJSON(b []byte) error {
	var d grantDocument
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("decode grant: %w", err)
	}
	if d.Expires == nil {
		return errors.New("decode grant: its expiry is missing")
	}
	sub, err := parsePatterns("patterns", d.Sub)
	if err != nil {
		return fmt.Errorf("decode grant: %w", err)
	}
	pub, err := parsePatterns("patterns", d.Pub)
	if err != nil {
		return fmt.Errorf("decode grant: %w", err)
	}
	*g = Grant{User: d.User, Sub: sub, Pub: pub, Notify: d.Notify, Admin: d.Admin, Expires: *d.Expires, TokenID: d.TokenID}
	return nil
}

func plain(list []subject.Pattern) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = string(p)
	}
	return out
}

// covered reports whether a single pattern of have covers p.
func covered(have []subject.Pattern, p subject.Pattern) bool {
	return slices.ContainsFunc(have, func(h subject.Pattern) bool { return h.Covers(p) })
}
