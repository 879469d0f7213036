package bounce_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/mailer/bounce"
	"tidings/shared/httpx"
	"tidings/shared/telemetry"
)

// hookSecret is the key of the standard hook, rawSecret one that is no base64.
const (
	hookSecret = telemetry.Secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	rawSecret  = telemetry.Secret("a secret of twenty-four bytes")
)

// sender signs and posts.
type sender struct {
	*rig
	echo *echo.Echo
	key  *ecdsa.PrivateKey
}

func newSender(t *testing.T) *sender {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{rig: newRig(t), echo: httpx.NewEcho(httpx.EchoConfig{MaxBody: 4 << 20}), key: key}
	s.start(bounce.Config{Hooks: []bounce.Hook{
		{Name: "own", Kind: bounce.HookStandard, Secrets: []telemetry.Secret{hookSecret, rawSecret}},
		{Name: "sendgrid", Kind: bounce.HookSendGrid, Secrets: []telemetry.Secret{telemetry.Secret(base64.StdEncoding.EncodeToString(der))}},
	}}).Routes(s.echo)
	return s
}

// standard are the headers of a signed request.
func standard(key []byte, at time.Time, body string) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	m := hmac.New(sha256.New, key)
	m.Write([]byte("msg_1." + stamp + "." + body))
	h := http.Header{}
	h.Set("webhook-id", "msg_1")
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", "v1a,AAAA v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	return h
}

func (s *sender) sendGrid(at time.Time, body string) http.Header {
	s.Helper()
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := sha256.Sum256([]byte(stamp + body))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		s.Fatal(err)
	}
	h := http.Header{}
	h.Set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(sig))
	h.Set("X-Twilio-Email-Event-Webhook-Timestamp", stamp)
	return h
}

// post returns the status and the code of the problem, or the body.
func (s *sender) post(name, body string, h http.Header) (int, string) {
	s.Helper()
	req := httptest.NewRequestWithContext(s.Context(), http.MethodPost, "/v1/bounces/"+name, strings.NewReader(body))
	maps.Copy(req.Header, h)
	rec := httptest.NewRecorder()
	s.echo.ServeHTTP(rec, req)
	var p struct{ Code, Param string }
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err == nil && p.Code != "" {
		return rec.Code, strings.TrimSpace(p.Code + " " + p.Param)
	}
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

func TestStandard(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	key := []byte("01234567890123456789012345678901")
	good := `{"kind":"hard","recipient":"Ann@example.com","message_id":"<` + job + `@example.com>","notification":"n1","status":"5.1.1","diagnostic":"550 ann@example.com unknown","at":"2026-03-05T09:00:00Z"}`
	for _, c := range []struct {
		name, body string
		header     http.Header
		status     int
		answer     string
	}{
		{"unsigned", good, nil, 401, "bad_signature Webhook-Signature"},
		{"another key", good, standard([]byte(secretA), time.Now(), good), 401, "bad_signature Webhook-Signature"},
		{"another body", good, standard(key, time.Now(), good+" "), 401, "bad_signature Webhook-Signature"},
		{"old", good, standard(key, time.Now().Add(-6*time.Minute), good), 401, "bad_signature Webhook-Signature"},
		{"from the future", good, standard(key, time.Now().Add(6*time.Minute), good), 401, "bad_signature Webhook-Signature"},
		{"other kind", good, s.sendGrid(time.Now(), good), 401, "bad_signature Webhook-Signature"},
		{"good", good, standard(key, time.Now(), good), 200, `{"taken":1,"ignored":0}`},
		{"again, with the other secret", good, standard([]byte(rawSecret), time.Now(), good), 200, `{"taken":1,"ignored":0}`},
	} {
		if status, answer := s.post("own", c.body, c.header); status != c.status || answer != c.answer {
			t.Errorf("%s: %d %s", c.name, status, answer)
		}
		if c.status != 200 && s.cause(ann) != "" {
			t.Fatalf("%s: applied", c.name)
		}
	}
	if s.cause(ann) != "bounced" || !slices.Equal(slices.Compact(s.told()), []string{"n1 bounced " + job}) {
		t.Errorf("ann is %q", s.cause(ann))
	}
	several := `[{"kind":"complaint","recipient":"bob@example.com"},{"kind":"bounce","recipient":"carl@example.com","status":"5.2.2"},{"kind":"bounce","recipient":"dora@example.com","status":"5.1.1"}]`
	if status, answer := s.post("own", several, standard(key, time.Now(), several)); status != 200 || answer != `{"taken":3,"ignored":0}` {
		t.Errorf("several: %d %s", status, answer)
	}
	if s.cause("bob@example.com") != "complained" || s.cause("carl@example.com") != "" || s.cause("dora@example.com") != "bounced" {
		t.Error("several were applied wrongly")
	}
}

func TestStandardFaults(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	key := []byte("01234567890123456789012345678901")
	for body, want := range map[string]string{
		``:                                  "400 empty_body",
		`{`:                                 "400 bad_json",
		`[{}`:                               "400 bad_json",
		`{"kind":"odd","recipient":"a@b"}`:  "400 bad_field 0.kind",
		`{"kind":"hard"}`:                   "400 bad_field 0.recipient",
		`{"kind":"hard","recipient":"ann"}`: "400 bad_field 0.recipient",
		`{"kind":"hard","extra":1}`:         "400 unknown_field extra",
		`[{"kind":"hard","recipient":"a@b","status":"550"}]`:                                                          "400 bad_field 0.status",
		`[{"kind":"hard","recipient":"a@b"},{"kind":"hard","recipient":"a@b","key":"a b"}]`:                           "400 bad_field 1.key",
		`{"kind":"hard","recipient":"a@b","notification":"` + strings.Repeat("n", 129) + `"}`:                         "400 bad_field 0.notification",
		`[` + strings.TrimSuffix(strings.Repeat(`{"kind":"hard","recipient":"a@b"},`, bounce.MaxEvents+1), ",") + `]`: "413 body_too_large",
		`{"kind":"hard","recipient":"a@b","diagnostic":"` + strings.Repeat("d", bounce.MaxHook) + `"}`:                "413 body_too_large",
		`{"kind":"hard","recipient":"a@b","at":"yesterday"}`:                                                          "400 bad_field",
		`{"kind":"hard","recipient":"` + strings.Repeat("a", 3000) + `@b"}`:                                           "400 bad_field 0.recipient",
	} {
		status, answer := s.post("own", body, standard(key, time.Now(), body))
		if got := fmt.Sprint(status, " ", answer); got != want {
			t.Errorf("%.60s: %s, want %s", body, got, want)
		}
	}
	if status, answer := s.post("nobody", "{}", nil); status != 404 || answer != "hook_unknown" {
		t.Errorf("unknown: %d %s", status, answer)
	}
	s.setFail(errors.New("secret inside"))
	body := `{"kind":"hard","recipient":"a@b","key":"k","notification":"n"}`
	if status, answer := s.post("own", body, standard(key, time.Now(), body)); status != 503 || answer != "bounces_unavailable" {
		t.Errorf("away: %d %s", status, answer)
	}
}

func TestSendGrid(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	event := func(name, address, more string) string {
		return `{"email":"` + address + `","timestamp":1772700000,"smtp-id":"<` + job + `@example.com>","event":"` + name + `","sg_event_id":"x"` + more + `}`
	}
	body := "[" + strings.Join([]string{
		event("processed", "p@example.com", ""),
		event("bounce", "hard@example.com", `,"type":"bounce","status":"5.1.1","reason":"550 5.1.1 unknown"`),
		event("bounce", "words@example.com", `,"type":"bounce","status":"5.0.0","reason":"550 unknown recipient"`),
		event("bounce", "soft@example.com", `,"type":"bounce","status":"5.2.2","reason":"552 full"`),
		event("bounce", "blocked@example.com", `,"type":"blocked","status":"5.1.1","reason":"550 your IP"`),
		event("deferred", "later@example.com", `,"response":"451 later","attempt":"5"`),
		event("delivered", "fine@example.com", `,"response":"250 OK"`),
		event("dropped", "dropped@example.com", `,"reason":"Bounced Address"`),
		event("spamreport", "spam@example.com", ""),
		event("open", "open@example.com", `,"useragent":["odd"]`),
		event("spamreport", "", ""),
		`{"event":"bounce","email":7}`, `"odd"`,
	}, ",") + "]\r\n"
	if status, answer := s.post("sendgrid", body, s.sendGrid(time.Now().Add(-20*time.Hour), body)); status != 200 || answer != `{"taken":8,"ignored":1}` {
		t.Fatalf("%d %s", status, answer)
	}
	for address, want := range map[string]string{"hard": "bounced", "words": "bounced", "soft": "", "blocked": "", "later": "", "fine": "", "dropped": "", "spam": "complained", "open": ""} {
		if got := s.cause(address + "@example.com"); got != want {
			t.Errorf("%s is %q, want %q", address, got, want)
		}
	}
	for name, h := range map[string]http.Header{
		"unsigned": nil, "another body": s.sendGrid(time.Now(), body+" "), "old": s.sendGrid(time.Now().Add(-26*time.Hour), body),
		"other kind": standard([]byte("01234567890123456789012345678901"), time.Now(), body),
	} {
		if status, answer := s.post("sendgrid", body, h); status != 401 || answer != "bad_signature X-Twilio-Email-Event-Webhook-Signature" {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	for body, want := range map[string]int{"{}": 400, "": 400, "[" + strings.Repeat("1,", bounce.MaxEvents) + "1]": 413} {
		if status, answer := s.post("sendgrid", body, s.sendGrid(time.Now(), body)); status != want {
			t.Errorf("%.20q: %d %s", body, status, answer)
		}
	}
}

func TestHookConfig(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	secrets := []telemetry.Secret{hookSecret}
	for name, hooks := range map[string][]bounce.Hook{
		"name":             {{Name: "a/b", Kind: bounce.HookStandard, Secrets: secrets}},
		"no name":          {{Kind: bounce.HookStandard, Secrets: secrets}},
		"kind":             {{Name: "a", Kind: "odd", Secrets: secrets}},
		"no secret":        {{Name: "a", Kind: bounce.HookStandard}},
		"short secret":     {{Name: "a", Kind: bounce.HookStandard, Secrets: []telemetry.Secret{"short-and-secret"}}},
		"secret's base64":  {{Name: "a", Kind: bounce.HookStandard, Secrets: []telemetry.Secret{"whsec_short-and-secret!"}}},
		"no public key":    {{Name: "a", Kind: bounce.HookSendGrid, Secrets: secrets}},
		"no base64":        {{Name: "a", Kind: bounce.HookSendGrid, Secrets: []telemetry.Secret{"short-and-secret!"}}},
		"two of one name":  {{Name: "a", Kind: bounce.HookStandard, Secrets: secrets}, {Name: "a", Kind: bounce.HookStandard, Secrets: secrets}},
		"too many secrets": {{Name: "a", Kind: bounce.HookStandard, Secrets: slices.Repeat(secrets, 17)}},
	} {
		_, err := bounce.New(bounce.Config{Seals: r.seals, Apply: r.apply, Hooks: hooks})
		if err == nil || strings.Contains(err.Error(), "short-and-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
