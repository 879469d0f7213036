package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bounds of an Input; those who take notifications have narrower ones.
const (
	// MaxData bounds Input.Data in bytes: as much as a job may carry.
	MaxData = 256 << 10
	// MaxDepth bounds how deep lists and objects of it are nested. A person's data is
	// flat; this is for whoever tries.
	MaxDepth = 32
	// MaxItems bounds a digest: what is over is not shown.
	MaxItems = 500
	// MaxActions bounds the buttons in the same way.
	MaxActions = 10
	// maxLocale bounds names of languages and time zones in bytes.
	maxLocale = 64
)

// errData says that Input.Data is no object or too much of one.
var errData = errors.New("data")

// Input is what a template is rendered with. The JSON names are those of sample.json.
type Input struct {
	// Locale is the person's language as BCP 47, TZ their time zone by name. Without
	// them, or if they are unknown here, it is English and UTC.
	Locale string `json:"locale,omitempty"`
	TZ     string `json:"tz,omitempty"`
	// User is the person's id, Name what they are called, or empty.
	User string `json:"user,omitempty"`
	Name string `json:"name,omitempty"`
	// Title, Body, Category and Severity are the notification's; all may be empty.
	Title    string `json:"title,omitempty"`
	Body     string `json:"body,omitempty"`
	Category string `json:"category,omitempty"`
	Severity string `json:"severity,omitempty"`
	// Actions are the buttons; one whose address is not safe to follow isn't shown.
	Actions []Action `json:"actions,omitempty"`
	// Data is a JSON object for the template, or nil.
	Data json.RawMessage `json:"data,omitempty"`
	// Items are the notifications of a digest.
	Items []Item `json:"items,omitempty"`
	// At is when it was said.
	At time.Time `json:"at,omitzero"`
	// Brand is the sender's name, shown above and below a mail.
	Brand string `json:"brand,omitempty"`
	// BaseURL is where addresses that are only a path lead to, http or https; without
	// it they lead nowhere and are left out.
	BaseURL string `json:"base_url,omitempty"`
	// UnsubscribeURL and PreferencesURL are shown below a mail if they are given.
	UnsubscribeURL string `json:"unsubscribe_url,omitempty"`
	PreferencesURL string `json:"preferences_url,omitempty"`
}

// Action is a button.
type Action struct {
	// Label is what it says, URL where it leads: an address or a path.
	Label string `json:"label,omitempty"`
	URL   string `json:"url"`
}

// Item is one notification of a digest.
type Item struct {
	// Title and Body are what it says, URL is where it leads, or empty.
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
	URL   string `json:"url,omitempty"`
	// At is when it was said.
	At time.Time `json:"at,omitzero"`
}

// dot makes what the templates see: maps, lists, texts, numbers and truths only, so
// that no method can be called.
func (in Input) dot(links links) (map[string]any, error) {
	data, err := decode(in.Data)
	if err != nil {
		return nil, err
	}
	actions, items := []any{}, []any{}
	for _, a := range in.Actions[:min(len(in.Actions), MaxActions)] {
		if u := links.resolve(a.URL); u != "" {
			actions = append(actions, map[string]any{"Label": line(a.Label), "URL": u})
		}
	}
	for _, it := range in.Items[:min(len(in.Items), MaxItems)] {
		items = append(items, map[string]any{
			"Title": line(it.Title), "Body": text(it.Body), "URL": links.resolve(it.URL), "At": stamp(it.At),
		})
	}
	return map[string]any{
		"User": line(in.User), "Name": line(in.Name), "Title": line(in.Title), "Body": text(in.Body),
		"Category": line(in.Category), "Severity": line(in.Severity), "Brand": line(in.Brand), "At": stamp(in.At),
		"Actions": actions, "Items": items, "Data": data,
		"UnsubscribeURL": links.resolve(in.UnsubscribeURL), "PreferencesURL": links.resolve(in.PreferencesURL),
	}, nil
}

// stamp is a time as the templates see it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// decode reads Data. Numbers keep every digit they were written with.
func decode(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	if len(raw) > MaxData {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", errData, len(raw), MaxData)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("%w: is no JSON object", errData)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the object", errData)
	}
	if m == nil { // it was null
		return map[string]any{}, nil
	}
	if _, err := simplify(m, 0); err != nil {
		return nil, err
	}
	return m, nil
}

// simplify works in place. It takes out of texts what doesn't show, and replaces
// numbers: whole ones by an int, which templates can compare and range over, others by
// the text they were written as.
func simplify(v any, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w: is nested over %d deep", errData, MaxDepth)
	}
	switch v := v.(type) {
	case string:
		return shown(v), nil
	case json.Number:
		if n, err := v.Int64(); err == nil && n >= math.MinInt && n <= math.MaxInt {
			return int(n), nil
		}
		return v.String(), nil
	case []any:
		for i, e := range v {
			s, err := simplify(e, depth+1)
			if err != nil {
				return nil, err
			}
			v[i] = s
		}
	case map[string]any:
		for k, e := range v {
			s, err := simplify(e, depth+1)
			if err != nil {
				return nil, err
			}
			v[k] = s
		}
	}
	return v, nil
}

// whole reads a count, as it stands in data or comes from len.
func whole(v any) (int, error) {
	switch v := v.(type) {
	case int:
		return v, nil
	case string:
		if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
			return n, nil
		}
	}
	return 0, errors.New("is no whole number")
}
