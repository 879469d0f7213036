package httpx

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// unmatched is the route of a request that no route took. Paths are the caller's
// to choose, so they can be no label.
const unmatched = "unmatched"

// metrics counts requests. A nil metrics counts nothing.
type metrics struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// newMetrics registers the metrics, or finds those that another Echo of this
// process has registered.
func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	return &metrics{
		total: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_http_requests_total",
			Help: "HTTP requests answered, by route pattern, method and status.",
		}, []string{"route", "method", "code"})),
		seconds: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tidings_http_request_seconds",
			Help:    "Time to answer an HTTP request in seconds; streams are left out.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "method"})),
	}
}

// register registers m or returns the collector that already has its name. Any
// other failure is a clash with a metric of another shape: a bug, which is shown
// where it is made.
func register[M prometheus.Collector](r prometheus.Registerer, m M) M {
	err := r.Register(m)
	if again, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if have, ok := again.ExistingCollector.(M); ok {
			return have
		}
	}
	if err != nil {
		panic(err)
	}
	return m
}

func (m *metrics) count(route, method string, status int, took time.Duration, stream bool) {
	if m == nil {
		return
	}
	m.total.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	if !stream {
		m.seconds.WithLabelValues(route, method).Observe(took.Seconds())
	}
}

// route is the pattern of the route that took a request. Echo gives a request
// without a route the pattern of a node near by, or of a group's catch-all; what
// marks it is the error of its handler.
func route(c echo.Context, err error) string {
	if c.Path() == "" || errors.Is(err, echo.ErrNotFound) {
		return unmatched
	}
	return c.Path()
}

// knownMethod keeps invented methods from becoming labels and log fields.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
