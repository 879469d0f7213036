package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"tidings/scripts/bench/load"
	"tidings/scripts/bench/proc"
	"tidings/scripts/bench/protocol"
)

// Unit says how a figure is shown. In JSON all figures are in these units.
type Unit string

// The units.
const (
	Microseconds Unit = "µs"
	Milliseconds Unit = "ms"
	Seconds      Unit = "s"
	Bytes        Unit = "B"
	Times        Unit = "×" // a ratio
	Percent      Unit = "%"
	Count        Unit = ""
)

// Figure is one measured number.
type Figure struct {
	// Key names it in JSON and Label for people.
	Key, Label string
	Value      float64
	Unit       Unit
	// AtMost is the goal, if Goal is set. A figure measured under other conditions than
	// the goal's has none.
	Goal   bool
	AtMost float64
	// Must says that missing the goal fails the run: it does not depend on the machine.
	Must bool
}

// Met says whether the figure reached its goal, or has none.
func (f Figure) Met() bool { return !f.Goal || f.Value <= f.AtMost }

// Within adds a goal if the conditions are the goal's.
func (f Figure) Within(most float64, applies bool) Figure {
	f.Goal, f.AtMost = applies, most
	return f
}

// Bound adds a goal that any machine can reach.
func (f Figure) Bound(most float64) Figure {
	f.Goal, f.AtMost, f.Must = true, most, true
	return f
}

// MarshalJSON implements json.Marshaler.
func (f Figure) MarshalJSON() ([]byte, error) {
	out := map[string]any{"value": f.Value, "unit": f.Unit}
	if f.Goal {
		out["at_most"], out["met"], out["must"] = f.AtMost, f.Met(), f.Must
	}
	return json.Marshal(out)
}

// Section is what one scenario found.
type Section struct {
	// Scenario is its name, Title its conditions in words, Transports those that it used.
	Scenario, Title string
	Transports      []protocol.Transport
	Figures         []Figure
	// Counts are its deliveries; nil when it published nothing.
	Counts *load.Counts
	// Note is what else a reader should know, as a sentence; or "".
	Note string
}

// MarshalJSON implements json.Marshaler: the figures become an object.
func (s Section) MarshalJSON() ([]byte, error) {
	figures := map[string]Figure{}
	for _, f := range s.Figures {
		figures[f.Key] = f
	}
	return json.Marshal(struct {
		Scenario   string               `json:"scenario"`
		Title      string               `json:"title"`
		Transports []protocol.Transport `json:"transports"`
		Figures    map[string]Figure    `json:"figures"`
		Counts     *load.Counts         `json:"counts,omitempty"`
		Note       string               `json:"note,omitempty"`
	}{s.Scenario, s.Title, s.Transports, figures, s.Counts, s.Note})
}

// Report is what a run found.
type Report struct {
	// Machine is where it ran, Transport, Publish and Sink how events travelled.
	Machine   proc.Machine       `json:"machine"`
	Transport protocol.Transport `json:"transport"`
	Publish   string             `json:"publish"`
	Sink      string             `json:"sink"`
	// Size is the data of an event and Frames what becomes of it on the wire, by each
	// transport in turn, in bytes.
	Size   int   `json:"size"`
	Frames []int `json:"frames"`
	// Sections are in the order of the scenarios.
	Sections []Section `json:"sections"`
	// Took is the length of the run in seconds.
	Took float64 `json:"took_s"`
}

// Exact says whether no event was lost, doubled or out of order.
func (r *Report) Exact() bool {
	for _, s := range r.Sections {
		if s.Counts != nil && !s.Counts.Exact() {
			return false
		}
	}
	return true
}

// Broken says whether a goal was missed that fails the run.
func (r *Report) Broken() bool {
	return slices.ContainsFunc(r.Sections, func(s Section) bool {
		return slices.ContainsFunc(s.Figures, func(f Figure) bool { return f.Must && !f.Met() })
	})
}

// Missed is how many goals were missed, Goals how many there were.
func (r *Report) Missed() (missed, goals int) {
	for _, s := range r.Sections {
		for _, f := range s.Figures {
			if f.Goal {
				goals++
			}
			if !f.Met() {
				missed++
			}
		}
	}
	return missed, goals
}

// WriteJSON writes the report for machines.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	m := r.Machine
	fmt.Fprintf(w, "tidings bench · %d × %s · Linux %s · load %.1f\n", m.CPUs, m.Model, m.Kernel, m.Load)
	frames := strings.ReplaceAll(strings.Trim(fmt.Sprint(r.Frames), "[]"), " ", " and ")
	if frames != "" {
		fmt.Fprintf(w, "%s, %s sink, published over %s · events of %d B, %s B on the wire\n", r.Transport, r.Sink, r.Publish, r.Size, frames)
	}
	for _, s := range r.Sections {
		if len(r.Frames) > 1 && len(s.Transports) == 1 { // both transports, one after the other
			s.Title = string(s.Transports[0]) + ": " + s.Title
		}
		if err := s.write(w); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	missed, goals := r.Missed()
	exact := "exactly once, in order"
	if !r.Exact() {
		exact = "NOT exactly once, in order"
	}
	_, err := fmt.Fprintf(w, "\n%d of %d goals met, %s, %.0f s\n", goals-missed, goals, exact, r.Took)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (s Section) write(w io.Writer) error {
	fmt.Fprintf(w, "\n%s · %s\n", s.Scenario, s.Title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range s.Figures {
		goal := ""
		if f.Goal {
			verdict := "met"
			if !f.Met() {
				verdict = "MISSED"
			}
			goal = "goal ≤ " + format(f.AtMost, f.Unit) + "\t" + verdict
		}
		fmt.Fprintf(t, "  %s\t%12s\t%s\n", f.Label, format(f.Value, f.Unit), goal)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if c := s.Counts; c != nil {
		verdict := "exact"
		if !c.Exact() {
			verdict = "NOT EXACT"
		}
		fmt.Fprintf(w, "  %s of %s delivered: %d lost, %d twice, %d out of order, %d stray, %d gaps, %d cut off: %s\n",
			thousands(c.Delivered), thousands(c.Expected), c.Lost, c.Doubled, c.Disordered, c.Strays, c.Gaps, c.Cut, verdict)
	}
	if s.Note != "" {
		fmt.Fprintf(w, "  %s\n", s.Note)
	}
	return nil
}

// format shows a number with as many digits as it is worth.
func format(v float64, u Unit) string {
	switch {
	case u == Count && v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case u == Bytes && (v >= 10<<20 || v <= -10<<20):
		return strconv.FormatFloat(v/(1<<20), 'f', 1, 64) + " MiB"
	case u == Bytes && (v >= 10<<10 || v <= -10<<10):
		return strconv.FormatFloat(v/(1<<10), 'f', 1, 64) + " KiB"
	case u == Bytes:
		return strconv.FormatFloat(v, 'f', 0, 64) + " B"
	case v >= 100 || v <= -100:
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + string(u)
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', 2, 64) + " " + string(u))
}

// thousands writes a number with separators.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
