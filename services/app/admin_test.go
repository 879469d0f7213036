package app_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tidings/services/app"
	"tidings/shared/testkit"
)

// TestAdmin: what an orchestrator and Prometheus see of a running process.
func TestAdmin(t *testing.T) {
	t.Parallel()
	p := start(t, settings(t)).ready()
	if code, body := get(t, p.AdminURL()+"/healthz"); code != http.StatusOK || !strings.Contains(body, `"ok":true`) {
		t.Errorf("healthz: %d %s", code, body)
	}
	_, ready := get(t, p.AdminURL()+"/readyz")
	for _, check := range []string{`"name":"nats"`, `"name":"edge"`} {
		if !strings.Contains(ready, check) {
			t.Errorf("readyz has no %s: %s", check, ready)
		}
	}
	l := p.listen("room.ops")
	p.post("room.ops", "1")
	l.until("message")
	for _, series := range []string{
		`tidings_nats_connected 1`,
		`tidings_edge_connections 1`,
		`tidings_edge_log_available 1`,
		`tidings_edge_connects_total\{result="fresh"\} 1`,
		`tidings_edge_follow_lag_events \d+`,
		`tidings_edge_canary_seconds_count [1-9]\d*`,
		`tidings_edge_tail_bytes [1-9]\S*`,
		`tidings_producer_events_total\{result="stored"\} 1`,
		`tidings_producer_feed_total\{result="stored",source="host"\} \d+`,
		`tidings_http_requests_total\{code="201",method="POST",route="/v1/events"\} 1`,
		`go_goroutines \d+`,
	} {
		pattern := regexp.MustCompile(`(?m)^` + series + `$`)
		testkit.Eventually(t, "metric "+series, func() bool {
			code, body := get(t, p.AdminURL()+"/metrics")
			return code == http.StatusOK && pattern.MatchString(body)
		})
	}
	if code, _ := get(t, p.AdminURL()+"/debug/pprof/goroutine?debug=1"); code != http.StatusOK {
		t.Errorf("pprof: %d", code)
	}
	for _, private := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/"} {
		if code, _ := get(t, p.URL()+private); code != http.StatusNotFound {
			t.Errorf("the public listener answers %s with %d", private, code)
		}
	}
}

// TestNoAdmin: the admin listener can be switched off.
func TestNoAdmin(t *testing.T) {
	t.Parallel()
	p := start(t, settings(t, "--admin="), func(o *app.Options) { o.Services = []string{app.Console} })
	if url := p.AdminURL(); url != "" {
		t.Errorf("there is an admin listener at %s", url)
	}
	testkit.Eventually(t, "the page", func() bool {
		code, body := get(t, p.URL()+"/")
		return code == http.StatusOK && strings.Contains(body, "<html")
	})
}

// TestNATSStaysPrivate: without an address the embedded server listens nowhere.
func TestNATSStaysPrivate(t *testing.T) {
	t.Parallel()
	if url := start(t, settings(t)).NATSURL(); url != "" {
		t.Errorf("the embedded NATS listens at %s", url)
	}
}
