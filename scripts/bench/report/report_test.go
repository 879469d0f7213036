package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"tidings/scripts/bench"
	"tidings/scripts/bench/load"
	"tidings/scripts/bench/proc"
	"tidings/scripts/bench/protocol"
	"tidings/scripts/bench/report"
)

// sample is a report with one of everything.
func sample() *report.Report {
	return &report.Report{
		Machine: proc.Machine{CPUs: 2, Model: "Fast", Kernel: "6.1", Load: 0.25}, Transport: protocol.SSE, Publish: "nats", Sink: "raw", Size: 200, Frames: []int{368}, Took: 41.6,
		Sections: []report.Section{
			{
				Scenario: bench.Fanout, Title: "1000 connections", Counts: &load.Counts{Expected: 1234567, Delivered: 1234567},
				Figures: []report.Figure{
					{Key: "cpu", Label: "CPU", Value: 7.123, Unit: report.Microseconds},
					{Key: "ratio", Label: "ratio", Value: 1.3, Unit: report.Times, Goal: true, AtMost: 1.25},
					{Key: "rss", Label: "memory", Value: 2669, Unit: report.Bytes, Goal: true, AtMost: 20 << 10},
					{Key: "large", Label: "large", Value: 25 << 10, Unit: report.Bytes},
					{Key: "reads", Label: "reads", Value: 3},
					{Key: "long", Label: "long", Value: 1811.4, Unit: report.Milliseconds},
				},
			},
			{Scenario: bench.Idle, Title: "nothing", Note: "A note."},
		},
	}
}

func TestWriteText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := sample().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"2 × Fast · Linux 6.1 · load 0.2", "events of 200 B, 368 B on the wire", "fanout · 1000 connections", "CPU 7.12 µs",
		"ratio 1.30 × goal ≤ 1.25 × MISSED", "memory 2669 B goal ≤ 20.0 KiB met", "large 25.0 KiB", "reads 3 ", "long 1811 ms",
		"1,234,567 of 1,234,567 delivered: 0 lost, 0 twice", ": exact", "A note.", "1 of 2 goals met, exactly once, in order, 42 s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestWriteTextTellsOfLoss(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Sections[0].Counts = &load.Counts{Expected: 10, Delivered: 9, Lost: 1}
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if r.Exact() || strings.Count(b.String(), "NOT") != 2 || !strings.Contains(b.String(), "9 of 10 delivered: 1 lost") {
		t.Errorf("a loss is reported as\n%s", b.String())
	}
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := sample().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Machine  struct{ CPUs int }
		Sections []struct {
			Scenario string
			Counts   *load.Counts
			Figures  map[string]struct {
				Value  float64
				Unit   string
				AtMost *float64 `json:"at_most"`
				Met    *bool
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	ratio, cpu := got.Sections[0].Figures["ratio"], got.Sections[0].Figures["cpu"]
	if got.Machine.CPUs != 2 || got.Sections[0].Counts.Delivered != 1234567 || got.Sections[1].Counts != nil ||
		ratio.Value != 1.3 || ratio.Met == nil || *ratio.Met || *ratio.AtMost != 1.25 || cpu.Met != nil || cpu.Unit != "µs" {
		t.Errorf("got %s", b.String())
	}
}

// TestBroken: a goal that fails the run, and how sections of two transports are told
// apart.
func TestBroken(t *testing.T) {
	t.Parallel()
	r := sample()
	if r.Broken() {
		t.Error("a goal that depends on the machine breaks the run")
	}
	r.Transport, r.Frames = bench.Both, []int{368, 341}
	r.Sections[0].Transports = []protocol.Transport{protocol.WebSocket}
	r.Sections[0].Figures = append(r.Sections[0].Figures, report.Figure{Label: "held", Value: 60 << 20, Unit: report.Bytes, Goal: true, AtMost: 50 << 20, Must: true})
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"both, raw sink", "368 and 341 B on the wire", "fanout · ws: 1000 connections", "held 60.0 MiB goal ≤ 50.0 MiB MISSED"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	if !r.Broken() {
		t.Error("a goal that any machine can reach was missed, and nothing is broken")
	}
}

func TestMet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		figure report.Figure
		want   bool
	}{
		{report.Figure{Value: 5}, true},
		{report.Figure{Value: 5, Goal: true, AtMost: 5}, true},
		{report.Figure{Value: 5.1, Goal: true, AtMost: 5}, false},
		{report.Figure{Value: 1, Goal: true}, false},
		{report.Figure{Value: math.NaN(), Goal: true, AtMost: 5}, false},
	} {
		if c.figure.Met() != c.want {
			t.Errorf("%+v: %v", c.figure, !c.want)
		}
	}
}
