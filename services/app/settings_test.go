package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/auth"
)

// TestSettingsReachTheServices: each setting does what it says in the process that
// was started with it.
func TestSettingsReachTheServices(t *testing.T) {
	t.Parallel()
	const hookSecret = "hook-secret-of-the-test"
	p := start(t, settings(t,
		"--node=n7", "--prefix=other", "--nats-listen=127.0.0.1:0", "--max-topics=2", "--max-connections-per-user=1",
		"--events-per-topic=5", "--origins=https://app.example.com", "--hooks=ci=hmac:"+hookSecret+",gh=hmac:room.git:"+hookSecret,
	)).ready()
	bearer := []string{"Authorization", "Bearer " + token(t)}

	l := p.listen("room.a,room.hooks.*")
	if code, body := get(t, p.URL()+"/v1/events?topics=room.a", bearer...); code != http.StatusOK || !strings.Contains(body, `"code":"too_many_connections"`) {
		t.Errorf("a second stream: %d %s", code, body)
	}
	if code, body := get(t, p.URL()+"/v1/events?topics=room.a,room.b,room.c", bearer...); code != http.StatusBadRequest || !strings.Contains(body, "too_many_topics") {
		t.Errorf("three topics: %d %s", code, body)
	}

	// The prefix is that of every subject.
	nc, err := nats.Connect(p.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, subject := range []string{"tidings.ev.room.a", "other.ev.room.a"} {
		if err := nc.Publish(subject, []byte(`"`+subject+`"`)); err != nil {
			t.Fatal(err)
		}
	}
	if data := l.until("message"); !strings.Contains(data, `"data":"other.ev.room.a"`) {
		t.Errorf("event: %s", data)
	}

	// Hooks go to their topic, or to one made of their name.
	hook := func(name string) {
		t.Helper()
		const body = `{"ok":true}`
		at := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write([]byte(at + "." + body))
		code, answer := request(t, http.MethodPost, p.URL()+"/v1/hooks/"+name, body,
			"X-Tidings-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)), "X-Tidings-Type", "build")
		if code != http.StatusOK {
			t.Errorf("hook %s: %d %s", name, code, answer)
		}
	}
	hook("gh")
	hook("ci")
	if data := l.until("build"); !strings.Contains(data, `"topic":"room.hooks.ci"`) {
		t.Errorf("event: %s", data)
	}
	if code, body := get(t, p.URL()+"/v1/topics/room.git/events", bearer...); code != http.StatusOK || !strings.Contains(body, `"type":"build"`) {
		t.Errorf("room.git: %d %s", code, body)
	}

	// The log keeps what it was told to keep.
	for i := range 8 {
		p.post("room.short", strconv.Itoa(i))
	}
	_, body := get(t, p.URL()+"/v1/topics/room.short/events", bearer...)
	var page struct {
		Events []struct{ Data int }
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Events) != 5 || page.Events[0].Data != 3 {
		t.Errorf("room.short: %s (%v), want the last 5 of 8", body, err)
	}
	if code, body := get(t, p.URL()+"/console/api/info", bearer...); code != http.StatusOK || !strings.Contains(body, `"node":"n7","prefix":"other","dev":false`) {
		t.Errorf("info: %d %s", code, body)
	}
	resp, err := http.DefaultClient.Do(preflight(t, p.URL()+"/v1/events", "https://app.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "https://app.example.com" {
		t.Errorf("the origin of the settings may not: %q", got)
	}
	resp, err = http.DefaultClient.Do(preflight(t, p.URL()+"/v1/events", "https://evil.example"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("a foreign origin may: %q", got)
	}
}

// TestAudience: where tokens must be for us, those for others are refused.
func TestAudience(t *testing.T) {
	t.Parallel()
	p := start(t, settings(t, "--jwt-audience=tidings", "--jwt-issuer=login")).ready()
	for _, c := range []struct {
		audience, issuer string
		want             int
	}{
		{"tidings", "login", http.StatusOK},
		{"", "login", http.StatusUnauthorized},
		{"shop", "login", http.StatusUnauthorized},
		{"tidings", "mallory", http.StatusUnauthorized},
	} {
		tok, err := auth.Mint([]byte(secret), auth.Claims{User: "ann", TTL: time.Minute, Audience: c.audience, Issuer: c.issuer}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if code, body := get(t, p.URL()+"/v1/topics/all/events", "Authorization", "Bearer "+tok); code != c.want {
			t.Errorf("audience %q, issuer %q: %d %s, want %d", c.audience, c.issuer, code, body, c.want)
		}
	}
}

// preflight is what a browser asks before a page of another origin may post.
func preflight(t *testing.T, url, origin string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	req.Header.Set("Access-Control-Request-Method", http.MethodPost)
	req.Header.Set("Access-Control-Request-Headers", "authorization")
	return req
}
