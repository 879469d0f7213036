package producer_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/services/producer"
)

const hookSecret = "the secret of the hooks"

// hooks is a producer with one hook of each kind.
func hooks(t testing.TB) *rig {
	t.Helper()
	return newRig(t, producer.Config{Hooks: []producer.Hook{
		{Name: "git", Kind: producer.KindGitHub, Topic: "room.git", Secret: hookSecret},
		{Name: "alerts", Kind: producer.KindAlertmanager, Topic: "room.alerts", Secret: hookSecret},
		{Name: "any", Kind: producer.KindHMAC, Topic: "room.any", Secret: hookSecret},
	}}, nil)
}

// mac is a hex HMAC-SHA256.
func mac(secret, text string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// gitHub are the headers of a delivery.
func gitHub(body, name, delivery string, more ...string) []string {
	return append([]string{
		"X-Hub-Signature-256: sha256=" + mac(hookSecret, body), "X-GitHub-Event: " + name, "X-GitHub-Delivery: " + delivery,
	}, more...)
}

// signed is the header of a generic sender, with a time so far from now.
func signed(body string, age time.Duration, more ...string) []string {
	stamp := strconv.FormatInt(time.Now().Add(-age).Unix(), 10)
	return append([]string{"X-Tidings-Signature: t=" + stamp + ",v1=" + mac(hookSecret, stamp+"."+body)}, more...)
}

const (
	firing   = `{"status":"firing","labels":{"alertname":"Disk <full>"},"annotations":{},"startsAt":"2026-03-01T12:00:00.5+01:00","endsAt":"0001-01-01T00:00:00Z","generatorURL":"g","fingerprint":"f00d"}`
	resolved = `{"status":"resolved","labels":{},"startsAt":"2026-03-01T12:00:00Z","endsAt":"2026-03-01T13:00:00Z","fingerprint":"beef","new":1}`
)

// group is a notification of Alertmanager.
func group(alerts ...string) string {
	return `{"version":"4","groupKey":"k","truncatedAlerts":0,"status":"firing","receiver":"tidings","groupLabels":{"a":"b"},"commonLabels":{},` +
		`"externalURL":"http://am","alerts":[` + strings.Join(alerts, ",") + `]}`
}

const am = "Authorization: Bearer " + hookSecret

func TestHooksStore(t *testing.T) {
	t.Parallel()
	const ping = `{"zen":"Keep it logically awesome.","n":1.0}`
	form := url.Values{"payload": {ping}}.Encode()
	const firingData = `{"annotations":{},"endsAt":"0001-01-01T00:00:00Z","externalURL":"http://am","fingerprint":"f00d","generatorURL":"g","groupLabels":{"a":"b"},` +
		`"labels":{"alertname":"Disk <full>"},"receiver":"tidings","startsAt":"2026-03-01T12:00:00.5+01:00","status":"firing"}`
	const resolvedData = `{"endsAt":"2026-03-01T13:00:00Z","externalURL":"http://am","fingerprint":"beef","groupLabels":{"a":"b"},"labels":{},"new":1,"receiver":"tidings",` +
		`"startsAt":"2026-03-01T12:00:00Z","status":"resolved"}`
	for _, tc := range []struct {
		name, path, body string
		headers          []string
		want             []string // without time
	}{
		{"ping", "git", ping, gitHub(ping, "ping", "d-1", ctJSON), []string{`{"topic":"room.git","type":"github.ping","id":"d-1","source":"github","data":` + ping + `}`}},
		{
			"form", "git", form, gitHub(form, "ping", "d-1", "Content-Type: application/x-www-form-urlencoded"),
			[]string{`{"topic":"room.git","type":"github.ping","id":"d-1","source":"github","data":` + ping + `}`},
		},
		{"alerts", "alerts", group(firing, resolved), []string{ctJSON, am}, []string{
			`{"topic":"room.alerts","type":"alert.firing","id":"f00d-firing-2026-03-01T11:00:00.5Z","source":"alertmanager","data":` + firingData + `}`,
			`{"topic":"room.alerts","type":"alert.resolved","id":"beef-resolved-2026-03-01T12:00:00Z-2026-03-01T13:00:00Z","source":"alertmanager","data":` + resolvedData + `}`,
		}},
		{"hmac", "any", `{"a":1}`, signed(`{"a":1}`, 0, ctJSON, "X-Tidings-Type: deploy", "X-Tidings-Id: 7"), []string{
			`{"topic":"room.any","type":"deploy","id":"7","source":"hook/any","data":{"a":1}}`,
		}},
		{"hmac, least", "any", ``, signed(``, 4*time.Minute), []string{`{"topic":"room.any","type":"message","source":"hook/any","data":null}`}},
		{"hmac, text", "any", "hi\n", signed("hi\n", -4*time.Minute, "Content-Type: text/plain"), []string{`{"topic":"room.any","type":"message","source":"hook/any","data":"hi\n"}`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := hooks(t)
			rec := r.do("/v1/hooks/"+tc.path, tc.body, tc.headers...)
			if rec.Code != http.StatusOK {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
			held := r.held()
			for i := range held {
				held[i] = withoutTime(held[i])
			}
			if !slices.Equal(held, tc.want) {
				t.Errorf("held\n%s\nwant\n%s", strings.Join(held, "\n"), strings.Join(tc.want, "\n"))
			}
			r.expect(map[string]float64{"events_total stored": float64(len(tc.want)), "bytes_total": r.counts()["bytes_total"]})
			if tc.name == "hmac, least" || tc.name == "hmac, text" {
				return // without an id each request is an event
			}
			rec = r.do("/v1/hooks/"+tc.path, tc.body, tc.headers...)
			if rec.Code != http.StatusOK || len(r.held()) != len(tc.want) {
				t.Errorf("sent again: %d, held %d", rec.Code, len(r.held()))
			}
		})
	}
}

func TestHooksRefuse(t *testing.T) {
	t.Parallel()
	const body = `{"a":1}`
	now := strconv.FormatInt(time.Now().Unix(), 10)
	good := mac(hookSecret, now+"."+body)
	big := strings.Repeat(" ", producer.MaxHookBody+1)
	large := `{"a":"` + strings.Repeat("x", 800<<10) + `"}`
	signature := func(s string) []string { return []string{"X-Tidings-Signature: " + s} }
	for _, tc := range []struct {
		name, path, body string
		headers          []string
		status           int
		code             string
	}{
		{"unknown", "nope", body, gitHub(body, "push", "1"), 404, "hook_unknown"},
		{"github, none", "git", body, []string{"X-GitHub-Event: push"}, 401, "bad_signature"},
		{"github, wrong", "git", body, gitHub(body+" ", "push", "1"), 401, "bad_signature"},
		{"github, sha1", "git", body, []string{"X-GitHub-Event: push", "X-Hub-Signature: sha1=00", "X-Hub-Signature-256: " + mac(hookSecret, body)}, 401, "bad_signature"},
		{"github, no hex", "git", body, []string{"X-GitHub-Event: push", "X-Hub-Signature-256: sha256=zz"}, 401, "bad_signature"},
		{"github, empty", "git", body, []string{"X-GitHub-Event: push", "X-Hub-Signature-256: sha256="}, 401, "bad_signature"},
		{"github, no event", "git", body, gitHub(body, "", "1"), 400, "missing_field"},
		{"github, event", "git", body, gitHub(body, strings.Repeat("x", 200), "1"), 400, "bad_field"},
		{"github, no JSON", "git", "{", gitHub("{", "push", "1"), 400, "bad_json"},
		{"github, no payload", "git", "a=b", gitHub("a=b", "push", "1", "Content-Type: application/x-www-form-urlencoded"), 400, "missing_field"},
		{"github, large", "git", large, gitHub(large, "push", "1"), 413, "too_large"},
		{"github, body", "git", big, gitHub(big, "push", "1"), 413, "body_too_large"},
		{"alertmanager, none", "alerts", group(firing), nil, 401, "bad_signature"},
		{"alertmanager, wrong", "alerts", group(firing), []string{am + "x"}, 401, "bad_signature"},
		{"alertmanager, basic", "alerts", group(firing), []string{"Authorization: Basic " + hookSecret}, 401, "bad_signature"},
		{"alertmanager, no JSON", "alerts", `{"alerts":`, []string{am}, 400, "bad_json"},
		{"alertmanager, empty", "alerts", group(), []string{am}, 400, "missing_field"},
		{"alertmanager, other", "alerts", `{"alerts":"x"}`, []string{am}, 400, "bad_field"},
		{"alertmanager, status", "alerts", group(firing, `{"status":"x","fingerprint":"f"}`), []string{am}, 400, "bad_field"},
		{"alertmanager, fingerprint", "alerts", group(firing, `{"status":"firing"}`), []string{am}, 400, "missing_field"},
		{"alertmanager, alert", "alerts", group(firing, `7`), []string{am}, 400, "bad_field"},
		{"alertmanager, many", "alerts", group(slices.Repeat([]string{`{}`}, 1001)...), []string{am}, 413, "too_many_events"},
		{"hmac, none", "any", body, nil, 401, "bad_signature"},
		{"hmac, wrong", "any", body + " ", signature("t=" + now + ",v1=" + good), 401, "bad_signature"},
		{"hmac, no time", "any", body, signature("v1=" + good), 401, "bad_signature"},
		{"hmac, other time", "any", body, signature("t=" + now + "0,v1=" + good), 401, "bad_signature"},
		{"hmac, two times", "any", body, signature("t=" + now + ",t=" + now + ",v1=" + good), 401, "bad_signature"},
		{"hmac, no mac", "any", body, signature("t=" + now), 401, "bad_signature"},
		{"hmac, other scheme", "any", body, signature("t=" + now + ",v0=" + good), 401, "bad_signature"},
		{"hmac, too many", "any", body, signature("t=" + now + strings.Repeat(",v1=00", 4) + ",v1=" + good), 401, "bad_signature"},
		{"hmac, old", "any", body, signed(body, 6*time.Minute), 401, "bad_signature"},
		{"hmac, early", "any", body, signed(body, -6*time.Minute), 401, "bad_signature"},
		{"hmac, overflow", "any", body, signature(fmt.Sprintf("t=-9223372036854775808,v1=%s", mac(hookSecret, "-9223372036854775808."+body))), 401, "bad_signature"},
		{"hmac, type", "any", body, signed(body, 0, "X-Tidings-Type: tidings.bye"), 400, "bad_field"},
		{"hmac, no JSON", "any", "{", signed("{", 0, ctJSON), 400, "bad_json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := hooks(t)
			rec := r.do("/v1/hooks/"+tc.path, tc.body, tc.headers...)
			if got := decode[refusal](t, rec); rec.Code != tc.status || got.Code != tc.code {
				t.Errorf("%d %+v", rec.Code, got)
			}
			if held := r.held(); len(held) != 0 {
				t.Errorf("held %v", held)
			}
			if strings.Contains(rec.Body.String()+r.out.String(), hookSecret) {
				t.Error("the secret got out")
			}
		})
	}
}

// TestHookSecretIsChanged sends both the old and the new secret's signature, as a
// sender does while the secret changes.
func TestHookSecretIsChanged(t *testing.T) {
	t.Parallel()
	r := hooks(t)
	now := strconv.FormatInt(time.Now().Unix(), 10)
	rec := r.do("/v1/hooks/any", "{}", "X-Tidings-Signature: t="+now+", v1="+mac("the old one", now+".{}")+", v1="+mac(hookSecret, now+".{}"))
	if rec.Code != http.StatusOK {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// TestHookWhileLogIsAway answers so that the sender comes again, and then stores
// each alert once.
func TestHookWhileLogIsAway(t *testing.T) {
	t.Parallel()
	r := hooks(t)
	r.log.SetAway(true)
	if rec := r.do("/v1/hooks/alerts", group(firing, resolved), am); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	r.log.SetAway(false)
	for range 2 {
		if rec := r.do("/v1/hooks/alerts", group(firing, resolved), am); rec.Code != http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	if held := r.held(); len(held) != 2 {
		t.Errorf("held %v", held)
	}
}
