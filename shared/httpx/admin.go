package httpx

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tidings/shared/telemetry"
)

const (
	// scrapesAtOnce bounds concurrent scrapes. Two Prometheus servers are common; the
	// rest is for people with curl.
	scrapesAtOnce = 4
	// scrapeTime bounds one scrape; it is Prometheus's own default.
	scrapeTime = 10 * time.Second
)

// adminIndex is the page at "/" of the admin listener.
const adminIndex = `Tidings admin

/metrics         Prometheus metrics
/healthz         is this process alive? 200 or 503, with the checks
/readyz          should it get traffic? 200 or 503, with the checks
/debug/pprof/    profiles of the running process
`

// AdminConfig is what NewAdmin needs.
type AdminConfig struct {
	// Gatherer gives the metrics. Nil means none.
	Gatherer prometheus.Gatherer
	// Live and Ready answer /healthz and /readyz. Nil is always healthy.
	Live, Ready *telemetry.Health
	// Log gets the errors of gathering. Nil means none.
	Log *slog.Logger
}

// NewAdmin returns the handler of the admin listener: /metrics, /healthz, /readyz,
// /debug/pprof/ and a text page at "/". It has no access control: profiles show
// memory, so it belongs on loopback or a private network.
func NewAdmin(cfg AdminConfig) http.Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Gatherer == nil {
		cfg.Gatherer = prometheus.NewRegistry()
	}
	m := http.NewServeMux()
	m.Handle("GET /metrics", promhttp.HandlerFor(cfg.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(cfg.Log.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTime,
	}))
	m.Handle("GET /healthz", healthHandler(cfg.Live))
	m.Handle("GET /readyz", healthHandler(cfg.Ready))
	m.HandleFunc("GET /debug/pprof/", pprof.Index)
	// There is no /debug/pprof/cmdline on purpose: flags may hold secrets.
	m.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	m.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	m.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	m.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		// The client may be gone; there is nothing else to do about it.
		_, _ = io.WriteString(w, adminIndex)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		m.ServeHTTP(w, r)
	})
}

// healthHandler answers with a Report, and 503 unless every check passed.
func healthHandler(h *telemetry.Health) http.HandlerFunc {
	if h == nil {
		h = telemetry.NewHealth()
	}
	return func(w http.ResponseWriter, r *http.Request) {
		report := h.Check(r.Context())
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !report.OK {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// The client may be gone; there is nothing else to do about it.
		_ = json.NewEncoder(w).Encode(report)
	}
}
