package app_test

import (
	"net/http"
	"strings"
	"testing"

	"tidings/services/app"
	"tidings/shared/config"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/testkit"
)

// TestSecretsStaySecret runs a process with known secrets through what it logs most
// about, at the most talkative level, and looks for them in all it said.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const password, hook = "natsPasswordOfTheTest", "hookSecretOfTheTest"
	server := natsxtest.Run(t, "jetstream: enabled\nauthorization { user: natsUserOfTheTest, password: "+password+" }")
	s := settings(t, "--hooks=ci=hmac:"+hook)
	s.NATS = config.URL(server.With("natsUserOfTheTest:" + password))
	p := start(t, s, func(o *app.Options) { o.Services = []string{app.Edge, app.Producer} }).ready()

	tok := token(t)
	bearer := []string{"Authorization", "Bearer " + tok}
	p.listen("room.ops")
	p.post("room.ops", `"dataOfTheTest"`)
	code, answer := request(t, http.MethodPost, p.URL()+"/v1/tickets", "", bearer...)
	_, ticket, _ := strings.Cut(answer, `"ticket":"`)
	ticket, _, _ = strings.Cut(ticket, `"`)
	if code != http.StatusCreated || ticket == "" {
		t.Fatalf("ticket: %d %s", code, answer)
	}
	heard := []string{answer}
	for _, c := range []struct {
		method, path, body string
		header             []string
		want               int
	}{
		{http.MethodGet, "/v1/events?topics=all&ticket=" + ticket + "&bogus=1", "", nil, http.StatusBadRequest},
		{http.MethodGet, "/v1/events?topics=all&ticket=" + ticket, "", nil, http.StatusUnauthorized}, // used up
		{http.MethodGet, "/v1/events?topics=all&token=" + tok, "", nil, http.StatusUnauthorized},
		{http.MethodGet, "/nowhere?token=" + tok, "", nil, http.StatusNotFound},
		{http.MethodGet, "/v1/events?topics=all", "", []string{"Authorization", "Bearer " + tok + "x"}, http.StatusUnauthorized},
		{http.MethodGet, "/v1/events?topics=all", "", []string{"Authorization", tok}, http.StatusUnauthorized},
		{http.MethodGet, "/v1/events?topics=all", "", []string{"Cookie", "tidings_token=" + tok + "x"}, http.StatusUnauthorized},
		{http.MethodPost, "/v1/hooks/ci", "{}", []string{"X-Tidings-Signature", "t=1,v1=00"}, http.StatusUnauthorized},
		{http.MethodPost, "/v1/hooks/ci?secret=" + hook, "{}", []string{"Authorization", "Bearer " + hook}, http.StatusUnauthorized},
		{http.MethodPost, "/v1/events", `{"topic":"room.ops","data":"` + tok + `"`, bearer, http.StatusBadRequest},
	} {
		code, body := request(t, c.method, p.URL()+c.path, c.body, c.header...)
		if code != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, code, body, c.want)
		}
		heard = append(heard, body)
	}

	// Nothing is as talkative as a lost connection, least of all one that is then
	// refused.
	server.Stop()
	testkit.Eventually(t, "the loss to be logged", func() bool { return strings.Contains(p.log.String(), "NATS connection lost") })
	code, body := request(t, http.MethodPost, p.URL()+"/v1/events", `{"topic":"room.ops"}`, bearer...)
	if code != http.StatusServiceUnavailable {
		t.Errorf("publish without NATS: %d %s", code, body)
	}
	_, ready := get(t, p.AdminURL()+"/readyz")
	server.Reconfigure("jetstream: enabled\nauthorization { user: natsUserOfTheTest, password: another }")
	testkit.Eventually(t, "the refusal to be logged", func() bool {
		return strings.Contains(strings.ToLower(p.log.String()), "authorization violation")
	})
	server.Reconfigure("jetstream: enabled\nauthorization { user: natsUserOfTheTest, password: " + password + " }")
	testkit.Eventually(t, "the return to be logged", func() bool { return strings.Contains(p.log.String(), "NATS connection restored") })
	p.ready()
	_, metrics := get(t, p.AdminURL()+"/metrics")
	if err := p.stop(); err != nil {
		t.Errorf("run: %v", err)
	}

	log := p.log.String()
	if !strings.Contains(log, "/v1/events") || !strings.Contains(log, "401") {
		t.Errorf("the log does not show the requests, so this test shows nothing")
	}
	signature := tok[strings.LastIndexByte(tok, '.')+1:]
	for name, s := range map[string]string{
		"the secret": secret, "a token's signature": signature, "a ticket": ticket, "the hook's secret": hook,
		"NATS's password": password, "NATS's user": "natsUserOfTheTest", "an event's data": "dataOfTheTest",
	} {
		for where, text := range map[string]string{"the log": log, "/readyz": ready, "/metrics": metrics} {
			if strings.Contains(text, s) {
				t.Errorf("%s is in %s", name, where)
			}
		}
	}
	for _, s := range []string{secret, signature, hook, password} {
		for _, body := range append(heard[1:], body) {
			if strings.Contains(body, s) {
				t.Errorf("an answer tells a secret: %s", body)
			}
		}
	}
}
