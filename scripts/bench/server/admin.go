package server

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

// Admin is the base URL of a server's admin listener, such as http://127.0.0.1:9090.
type Admin string

// get reads a page of the admin listener.
func (a Admin) get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(a)+path, http.NoBody)
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

// Metrics reads the server's metrics.
func (a Admin) Metrics(ctx context.Context) (Metrics, error) {
	page, err := a.get(ctx, "/metrics")
	return Metrics(page), err
}

// Collect makes the server collect its garbage, so that its memory is what it
// needs and not what it has not thrown away yet.
func (a Admin) Collect(ctx context.Context) error {
	_, err := a.get(ctx, "/debug/pprof/heap?gc=1")
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
