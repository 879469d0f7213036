package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// adminTime bounds one request to the admin listener.
	adminTime = 10 * time.Second
	// maxPage bounds what is read of an answer.
	maxPage = 4 << 20
)

// The metrics that the bench reads.
const (
	metricReads       = "tidings_edge_range_reads_total"
	metricConnections = "tidings_edge_connections"
	metricHeap        = "go_memstats_heap_alloc_bytes"
	metricStacks      = "go_memstats_stack_inuse_bytes"
	metricGoroutines  = "go_goroutines"
)

// get reads a page of the admin listener.
func (t *target) get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.admin+path, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("admin: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("admin: %w", err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return "", fmt.Errorf("admin%s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", errors.New("admin" + path + ": " + resp.Status)
	}
	return string(page), nil
}

// metrics reads the server's metrics.
func (t *target) metrics(ctx context.Context) (Metrics, error) {
	page, err := t.get(ctx, "/metrics")
	return Metrics(page), err
}

// collect makes the server collect its garbage, so that its memory is what it
// needs and not what it has not thrown away yet.
func (t *target) collect(ctx context.Context) error {
	_, err := t.get(ctx, "/debug/pprof/heap?gc=1")
	return err
}

// Metrics is a page in Prometheus's text format.
type Metrics string

// Value returns a metric without labels. It fails when the page has no such metric.
func (m Metrics) Value(name string) (float64, error) {
	for line := range strings.Lines(string(m)) {
		rest, ok := strings.CutPrefix(line, name+" ")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ") // a timestamp may follow
		v, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		return v, nil
	}
	return 0, fmt.Errorf("the server has no metric %s", name)
}
