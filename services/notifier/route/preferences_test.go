package route_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tidings/services/notifier/route"
	"tidings/shared/httpx"
)

const everything = `{"enabled":true,"muted_until":"2026-01-10T12:00:00Z","channels":{"sms":false},"categories":{"news":{"enabled":false},` +
	`"orders":{"muted_until":"2026-01-10T12:00:00Z","channels":{"mail":true},"digest":{"window_s":3600,"debounce_s":60,"cap":20}}},` +
	`"quiet_hours":[{"from":"22:00","to":"07:00","days":["mon","tue"],"tz":"Asia/Kathmandu"}]}`

func TestPreferencesRoundTrip(t *testing.T) {
	t.Parallel()
	for _, in := range []string{everything, `{}`, `{"categories":{"a":{"digest":{}}}}`} {
		p, err := route.ParsePreferences([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(p)
		if err != nil || string(out) != in || p.Check() != nil {
			t.Errorf("%s came back as %s, %v", in, out, err)
		}
	}
}

func TestParsePreferencesRefuses(t *testing.T) {
	t.Parallel()
	quiet := func(s string) string { return `{"quiet_hours":[` + s + `]}` }
	digest := func(s string) string { return `{"categories":{"a":{"digest":` + s + `}}}` }
	for _, c := range []struct{ name, in, code, param string }{
		{"unknown field", `{"mute":1}`, httpx.CodeUnknownField, "mute"},
		{"unknown channel", `{"channels":{"fax":true}}`, route.CodeBadValue, "channels.fax"},
		{"unknown channel of a category", `{"categories":{"a":{"channels":{"fax":true}}}}`, route.CodeBadValue, "categories.a.channels.fax"},
		{"bad category", `{"categories":{"A":{}}}`, route.CodeBadName, "categories.A"},
		{"bad mute", `{"muted_until":"never"}`, route.CodeBadTime, "muted_until"},
		{"bad mute of a category", `{"categories":{"a":{"muted_until":"never"}}}`, route.CodeBadTime, "categories.a.muted_until"},
		{"short window", digest(`{"window_s":59}`), route.CodeBadValue, "categories.a.digest.window_s"},
		{"long window", digest(`{"window_s":99999999}`), route.CodeBadValue, "categories.a.digest.window_s"},
		{"long pause", digest(`{"window_s":60,"debounce_s":61}`), route.CodeBadValue, "categories.a.digest.debounce_s"},
		{"cap of one", digest(`{"window_s":60,"cap":1}`), route.CodeBadValue, "categories.a.digest.cap"},
		{"bad from", quiet(`{"from":"24:00","to":"07:00"}`), route.CodeBadTime, "quiet_hours[0].from"},
		{"bad to", quiet(`{"from":"22:00","to":"7:00"}`), route.CodeBadTime, "quiet_hours[0].to"},
		{"no length", quiet(`{"from":"22:00","to":"22:00"}`), route.CodeBadTime, "quiet_hours[0].to"},
		{"bad day", quiet(`{"from":"22:00","to":"07:00","days":["Mon"]}`), route.CodeBadValue, "quiet_hours[0].days[0]"},
		{"day twice", quiet(`{"from":"22:00","to":"07:00","days":["mon","mon"]}`), route.CodeDuplicate, "quiet_hours[0].days[1]"},
		{"bad zone", quiet(`{"from":"22:00","to":"07:00","tz":"Local"}`), route.CodeBadZone, "quiet_hours[0].tz"},
		{"two zones", quiet(`{"from":"22:00","to":"07:00","tz":"UTC"},{"from":"12:00","to":"13:00"}`), route.CodeBadZone, "quiet_hours[1].tz"},
		{"always", quiet(`{"from":"00:00","to":"24:00"}`), route.CodeAlwaysQuiet, "quiet_hours"},
		{"always, in two", quiet(`{"from":"12:00","to":"00:00"},{"from":"00:00","to":"12:00"}`), route.CodeAlwaysQuiet, "quiet_hours"},
		{"too many", quiet(strings.Repeat(`{"from":"12:00","to":"13:00"},`, 7) + `{"from":"12:00","to":"13:00"}`), route.CodeTooMany, "quiet_hours"},
		{"huge", `{"muted_until":"` + strings.Repeat("x", route.MaxPreferences) + `"}`, route.CodeTooLong, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := route.ParsePreferences([]byte(c.in))
			checkProblem(t, err, c.code, c.param)
		})
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, patch, want string }{
		{"nothing", everything, `{}`, everything},
		{"into nothing", `{}`, everything, everything},
		{"null takes away", `{"enabled":true,"channels":{"sms":false,"mail":true}}`, `{"enabled":null,"channels":{"sms":null}}`, `{"channels":{"mail":true}}`},
		{"null of all categories", everything, `{"categories":null,"quiet_hours":null,"muted_until":null}`, `{"enabled":true,"channels":{"sms":false}}`},
		{"one category of two", `{"categories":{"a":{"enabled":false},"b":{"enabled":false}}}`, `{"categories":{"a":null}}`, `{"categories":{"b":{"enabled":false}}}`},
		{"objects are merged", `{"categories":{"a":{"enabled":false}}}`, `{"categories":{"a":{"channels":{"sms":true}}}}`, `{"categories":{"a":{"enabled":false,"channels":{"sms":true}}}}`},
		{"lists are replaced", everything, `{"quiet_hours":[{"from":"01:00","to":"02:00"}],"categories":null}`, `{"enabled":true,"muted_until":"2026-01-10T12:00:00Z","channels":{"sms":false},"quiet_hours":[{"from":"01:00","to":"02:00"}]}`},
	} {
		old, err := route.ParsePreferences([]byte(c.old))
		if err != nil {
			t.Fatal(err)
		}
		before, _ := json.Marshal(old)
		got, err := old.Merge([]byte(c.patch))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if out, _ := json.Marshal(got); string(out) != c.want {
			t.Errorf("%s: %s, want %s", c.name, out, c.want)
		}
		if after, _ := json.Marshal(old); string(after) != string(before) {
			t.Errorf("%s changed what it was given", c.name)
		}
	}
	for _, c := range []struct{ name, patch, code, param string }{
		{"misspelt null", `{"mutd_until":null}`, httpx.CodeUnknownField, "mutd_until"},
		{"capital", `{"Enabled":true}`, httpx.CodeUnknownField, "Enabled"},
		{"capital below", `{"categories":{"a":{"Enabled":null}}}`, httpx.CodeUnknownField, "Enabled"},
		{"null", `null`, httpx.CodeBadField, ""},
		{"list", `[]`, httpx.CodeBadField, ""},
		{"unsound", `{"quiet_hours":[{"from":"00:00","to":"24:00"}]}`, route.CodeAlwaysQuiet, "quiet_hours"},
	} {
		_, err := route.Preferences{}.Merge([]byte(c.patch))
		t.Log(c.name)
		checkProblem(t, err, c.code, c.param)
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	if err := route.DefaultCategories().Check(); err != nil {
		t.Error(err)
	}
	for param, c := range map[string]route.Category{
		"a.channels[0]":     {Channels: []route.Channel{"fax"}},
		"a.channels[1]":     {Channels: []route.Channel{route.Mail, route.Mail}},
		"a.digest.window_s": {Digest: route.Digest{Cap: 2}},
		"a.limits.mail":     {Limits: map[route.Channel]route.Limit{route.Mail: {Count: 1}}},
		"a.hook":            {Hook: "https://x"},
		"a.title":           {Title: "a\nb"},
	} {
		err := route.Categories{"a": c}.Check()
		if err == nil {
			t.Errorf("%s is taken", param)
			continue
		}
		if p := httpx.ProblemOf(err, nil); p.Param != param {
			t.Errorf("%s: %v", param, err)
		}
	}
}

// FuzzPreferences holds that whatever is accepted comes back from storage as it was,
// lets go of everything it holds, and merges into itself without a change.
func FuzzPreferences(f *testing.F) {
	f.Add([]byte(everything), []byte(`{"categories":{"orders":null}}`))
	f.Add([]byte(`{"quiet_hours":[{"from":"02:30","to":"02:00","tz":"Europe/Berlin"}]}`), []byte(`{"Enabled":null}`))
	f.Add([]byte(`{"categories":{"a":{"digest":{"window_s":60}}}}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, data, patch []byte) {
		p, err := route.ParsePreferences(data)
		if err != nil {
			if q := httpx.ProblemOf(err, nil); q.Status < 400 || q.Status > 499 {
				t.Fatalf("%d: %v", q.Status, err)
			}
			return
		}
		stored := text(t, p)
		same, err := p.Merge([]byte(stored[1 : len(stored)-1]))
		if err != nil || text(t, same) != stored {
			t.Fatalf("%s merged into itself is %s, %v", stored, text(t, same), err)
		}
		if out := p.QuietHours.Release(night(), "Europe/Berlin"); !p.QuietHours.Release(out, "Europe/Berlin").Equal(out) {
			t.Fatalf("%s releases at %s and not again", stored, out)
		}
		if next, err := p.Merge(patch); err == nil && next.Check() != nil {
			t.Fatalf("%s and %s make %v", stored, patch, next.Check())
		}
	})
}
