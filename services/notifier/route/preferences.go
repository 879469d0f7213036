package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings/services/notifier/route/wall"
	"tidings/shared/httpx"
)

const (
	// MaxPreferences bounds the JSON of a person's preferences in bytes.
	MaxPreferences = 64 << 10
	// MaxCategories bounds the categories somebody has preferences for; nobody sets
	// more by hand.
	MaxCategories = 200
)

// Preferences is what a person wants. The zero value leaves all to the categories.
type Preferences struct {
	// Enabled turns everything off, if false.
	Enabled *bool `json:"enabled,omitempty"`
	// MutedUntil drops what disturbs, of all categories, until then.
	MutedUntil time.Time `json:"muted_until,omitzero"`
	// Channels turns channels on or off in all categories.
	Channels map[Channel]bool `json:"channels,omitempty"`
	// Categories are the exceptions, by name.
	Categories map[string]Choice `json:"categories,omitempty"`
	// QuietHours hold what disturbs; those without a zone are in the person's.
	QuietHours wall.Windows `json:"quiet_hours,omitempty"`
}

// Choice is what a person wants of one category. It goes before what they want of
// channels in general.
type Choice struct {
	// Enabled turns the category off, if false.
	Enabled *bool `json:"enabled,omitempty"`
	// MutedUntil drops what disturbs until then.
	MutedUntil time.Time `json:"muted_until,omitzero"`
	// Channels turns channels on or off in this category.
	Channels map[Channel]bool `json:"channels,omitempty"`
	// Digest collects the category; nil leaves it to the category, and a window of 0
	// asks for each at once.
	Digest *Digest `json:"digest,omitempty"`
}

// settings is Preferences before its times are checked.
type settings struct {
	Enabled    *bool             `json:"enabled"`
	MutedUntil string            `json:"muted_until"`
	Channels   map[Channel]bool  `json:"channels"`
	Categories map[string]option `json:"categories"`
	QuietHours wall.Windows      `json:"quiet_hours"`
}

// option is Choice before its times are checked.
type option struct {
	Enabled    *bool            `json:"enabled"`
	MutedUntil string           `json:"muted_until"`
	Channels   map[Channel]bool `json:"channels"`
	Digest     *Digest          `json:"digest"`
}

// ParsePreferences reads the JSON of a person's preferences, strictly. Errors are
// *FaultsError, or *httpx.Problem where the JSON itself is broken.
func ParsePreferences(data []byte) (Preferences, error) {
	var s settings
	if err := decode(data, MaxPreferences, &s); err != nil {
		return Preferences{}, err
	}
	var f faults
	p := Preferences{Enabled: s.Enabled, Channels: s.Channels, QuietHours: s.QuietHours}
	p.MutedUntil = f.moment("muted_until", s.MutedUntil)
	for _, name := range slices.Sorted(maps.Keys(s.Categories)) {
		if p.Categories == nil {
			p.Categories = make(map[string]Choice, len(s.Categories))
		}
		o := s.Categories[name]
		muted := f.moment("categories."+clip(name)+".muted_until", o.MutedUntil)
		p.Categories[name] = Choice{Enabled: o.Enabled, MutedUntil: muted, Channels: o.Channels, Digest: o.Digest}
	}
	p.check(&f)
	if err := f.err("preferences"); err != nil {
		return Preferences{}, err
	}
	return p, nil
}

// Check reports every fault of p as a *FaultsError.
func (p Preferences) Check() error {
	var f faults
	p.check(&f)
	return f.err("preferences")
}

func (p Preferences) check(f *faults) {
	f.channels("channels", p.Channels)
	if len(p.Categories) > MaxCategories {
		f.add("categories", CodeTooMany, "has over %d entries", MaxCategories)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.Categories)) {
		param := "categories." + clip(name)
		f.name(param, name)
		f.channels(param+".channels", p.Categories[name].Channels)
		if d := p.Categories[name].Digest; d != nil {
			d.check(f, param+".digest.")
		}
	}
	f.quietHours("quiet_hours", p.QuietHours)
}

// channels checks the names of channels.
func (f *faults) channels(param string, on map[Channel]bool) {
	for _, c := range slices.Sorted(maps.Keys(on)) {
		if !c.known() {
			f.add(param+"."+clip(string(c)), CodeBadValue, "is none of inbox, mail, push, sms and hook")
		}
	}
}

// Merge returns p changed by patch, a JSON merge patch (RFC 7396): what it names is
// replaced, null takes it away, objects are merged, the rest stays. A change is all
// or nothing. Errors are those of ParsePreferences.
func (p Preferences) Merge(patch []byte) (Preferences, error) {
	// Read as a whole first, so that a misspelt field is found even beside a null.
	if err := decode(patch, MaxPreferences, new(settings)); err != nil {
		return Preferences{}, err
	}
	var change map[string]any
	if err := json.Unmarshal(patch, &change); err != nil || change == nil {
		return Preferences{}, httpx.NewProblem(http.StatusBadRequest, httpx.CodeBadField, "Preferences must be an object.")
	}
	if key, bad := capital(change); bad {
		return Preferences{}, httpx.Bad(clip(key), httpx.CodeUnknownField, "There is no field "+strconv.Quote(clip(key))+".")
	}
	old, err := json.Marshal(p)
	if err != nil {
		return Preferences{}, fmt.Errorf("marshal preferences: %w", err)
	}
	var tree map[string]any
	if err := json.Unmarshal(old, &tree); err != nil {
		return Preferences{}, fmt.Errorf("unmarshal preferences: %w", err)
	}
	merged, err := json.Marshal(merge(tree, change))
	if err != nil {
		return Preferences{}, fmt.Errorf("marshal merged preferences: %w", err)
	}
	return ParsePreferences(bytes.TrimSpace(merged))
}

// merge applies change to tree, which it may write to, and returns it.
func merge(tree, change map[string]any) map[string]any {
	if tree == nil {
		tree = map[string]any{}
	}
	for k, v := range change {
		switch v := v.(type) {
		case nil:
			delete(tree, k)
		case map[string]any:
			below, _ := tree[k].(map[string]any)
			tree[k] = merge(below, v)
		default:
			tree[k] = v
		}
	}
	return tree
}

// capital finds a key with a capital letter. All ours are lower case; encoding/json
// would take "Enabled" for "enabled", and a merge would then hold both.
func capital(tree map[string]any) (string, bool) {
	for _, k := range slices.Sorted(maps.Keys(tree)) {
		if strings.ToLower(k) != k {
			return k, true
		}
		if below, ok := tree[k].(map[string]any); ok {
			if key, bad := capital(below); bad {
				return key, true
			}
		}
	}
	return "", false
}
