package httpx_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/httpx"
	"tidings/shared/telemetry"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "tidings_test_total", Help: "x"}))
	ready := telemetry.NewHealth()
	ready.Add("nats", func(context.Context) error { return errors.New("away") })
	h := httpx.NewAdmin(httpx.AdminConfig{Gatherer: reg, Ready: ready})
	for _, tt := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/", 200, "/readyz"},
		{"GET", "/metrics", 200, "tidings_test_total 0"},
		{"GET", "/healthz", 200, `{"ok":true,"checks":[]}`},
		{"GET", "/readyz", 503, `{"name":"nats","ok":false,"error":"away"`},
		{"HEAD", "/readyz", 503, ""},
		{"POST", "/readyz", 405, ""},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"GET", "/debug/pprof/cmdline", 404, ""},
		{"GET", "/nothing", 404, ""},
	} {
		w := ask(h, tt.method, tt.path, "")
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s %s: got %d %s", tt.method, tt.path, w.Code, w.Body)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: not nosniff", tt.path)
		}
	}
	var report telemetry.Report
	if err := json.Unmarshal(ask(h, "GET", "/readyz", "").Body.Bytes(), &report); err != nil || report.OK || len(report.Checks) != 1 {
		t.Errorf("got %+v, %v", report, err)
	}
	if w := ask(httpx.NewAdmin(httpx.AdminConfig{}), "GET", "/metrics", ""); w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
}
