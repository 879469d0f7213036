package httpx_test

import (
	"slices"
	"testing"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const app, evil = "https://app.example", "https://evil.example"
	tests := []struct {
		name          string
		origins       []string
		method        string
		origin        string
		preflight     string
		status        int
		allow         string
		credentials   string
		vary, refused bool
	}{
		{name: "off", method: "GET", origin: app, status: 200},
		{name: "off, preflight", method: "OPTIONS", origin: app, preflight: "PUT", status: 204},
		{name: "same origin", origins: []string{app}, method: "GET", status: 200, vary: true},
		{name: "listed", origins: []string{app}, method: "GET", origin: app, status: 200, allow: app, credentials: "true", vary: true},
		{name: "not listed", origins: []string{app}, method: "GET", origin: evil, status: 200, vary: true},
		{name: "other scheme", origins: []string{app}, method: "GET", origin: "http://app.example", status: 200, vary: true},
		{name: "other port", origins: []string{app}, method: "GET", origin: app + ":8443", status: 200, vary: true},
		{name: "suffix", origins: []string{app}, method: "GET", origin: app + ".evil.example", status: 200, vary: true},
		{name: "null", origins: []string{app}, method: "GET", origin: "null", status: 200, vary: true},
		{name: "any", origins: []string{"*"}, method: "GET", origin: evil, status: 200, allow: "*", vary: true},
		{name: "any and listed", origins: []string{"*", app}, method: "GET", origin: app, status: 200, allow: app, credentials: "true", vary: true},
		{name: "preflight", origins: []string{app}, method: "OPTIONS", origin: app, preflight: "PUT", status: 204, allow: app, credentials: "true", vary: true},
		{name: "preflight of any", origins: []string{"*"}, method: "OPTIONS", origin: evil, preflight: "PUT", status: 204, allow: "*", vary: true},
		{name: "preflight refused", origins: []string{app}, method: "OPTIONS", origin: evil, preflight: "PUT", status: 403, vary: true, refused: true},
		{name: "plain OPTIONS", origins: []string{app}, method: "OPTIONS", origin: app, status: 204, allow: app, credentials: "true", vary: true},
		{name: "errors too", origins: []string{app}, method: "POST", origin: app, status: 405, allow: app, credentials: "true", vary: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := httpx.NewEcho(httpx.EchoConfig{Origins: tt.origins})
			e.GET("/x", func(c echo.Context) error { return c.NoContent(200) })
			var headers []string
			if tt.origin != "" {
				headers = append(headers, "Origin", tt.origin)
			}
			if tt.preflight != "" {
				headers = append(headers, "Access-Control-Request-Method", tt.preflight)
			}
			w := ask(e, tt.method, "/x", "", headers...)
			h := w.Header()
			if w.Code != tt.status || h.Get("Access-Control-Allow-Origin") != tt.allow || h.Get("Access-Control-Allow-Credentials") != tt.credentials {
				t.Errorf("got %d %v", w.Code, h)
			}
			if slices.Contains(h.Values("Vary"), "Origin") != tt.vary {
				t.Errorf("Vary is %q", h.Values("Vary"))
			}
			if tt.refused {
				if d := problem(t, w); d.Code != "origin_not_allowed" {
					t.Errorf("got %+v", d)
				}
			}
			answered := tt.preflight != "" && tt.allow != ""
			for k, v := range map[string]string{
				"Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
				"Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID, Idempotency-Key",
				"Access-Control-Max-Age":       "600",
			} {
				if !answered {
					v = ""
				}
				if h.Get(k) != v {
					t.Errorf("%s is %q, want %q", k, h.Get(k), v)
				}
			}
		})
	}
}
