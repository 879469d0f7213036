package server_test

import (
	"testing"

	"tidings/scripts/bench/server"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	page := server.Metrics("# HELP a_total A.\n# TYPE a_total counter\na_total 12\na_total_more 3\nb{x=\"y\"} 4\nc 1.5e+06 1700000000\nd word\n")
	for name, want := range map[string]float64{"a_total": 12, "a_total_more": 3, "c": 1.5e6} {
		if got, err := page.Value(name); err != nil || got != want {
			t.Errorf("%s is %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"b", "d", "a", "absent"} {
		if got, err := page.Value(name); err == nil {
			t.Errorf("%s is %v", name, got)
		}
	}
}
