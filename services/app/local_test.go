package app_test

import (
	"net/http"
	"testing"

	"tidings/services/app"
)

// TestLocalGrant: on a developer's own machine programs publish without a token.
// Pages and proxies do not, and nowhere else does anyone.
func TestLocalGrant(t *testing.T) {
	t.Parallel()
	dev := start(t, settings(t), func(o *app.Options) { o.Dev = true }).ready()
	up := start(t, settings(t)).ready()
	const event = `{"topic":"room.ops","data":1}`
	for name, c := range map[string]struct {
		process *process
		header  []string
		want    int
	}{
		"a program":                   {dev, nil, http.StatusCreated},
		"a page":                      {dev, []string{"Origin", "http://localhost:8080"}, http.StatusUnauthorized},
		"a page without Origin":       {dev, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusUnauthorized},
		"a proxy":                     {dev, []string{"X-Forwarded-For", "127.0.0.1"}, http.StatusUnauthorized},
		"another name for us":         {dev, []string{"Host", "evil.example"}, http.StatusUnauthorized},
		"a bad token":                 {dev, []string{"Authorization", "Bearer x.y.z"}, http.StatusUnauthorized},
		"a program, production":       {up, nil, http.StatusUnauthorized},
		"a token, production":         {up, []string{"Authorization", "Bearer " + token(t)}, http.StatusCreated},
		"a token in a page's request": {up, []string{"Authorization", "Bearer " + token(t), "Origin", "https://app.example"}, http.StatusCreated},
	} {
		if code, body := request(t, http.MethodPost, c.process.URL()+"/v1/events", event, c.header...); code != c.want {
			t.Errorf("%s: %d %s, want %d", name, code, body, c.want)
		}
	}
	// The grant is for publishing only: streams show what others wrote.
	if code, body := get(t, dev.URL()+"/v1/events?topics=room.ops"); code != http.StatusUnauthorized {
		t.Errorf("a stream without a token: %d %s", code, body)
	}
}
