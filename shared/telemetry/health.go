package telemetry

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// CheckTimeout is how long one check may take. Orchestrators give a probe a few
	// seconds; an answer that names the slow check must come before they give up.
	CheckTimeout = 2 * time.Second
	// maxErrorText is the most bytes of one error that a Report carries, so that a
	// dependency's page of HTML does not become ours.
	maxErrorText = 512
)

// Health is a list of named checks. Make it with NewHealth.
type Health struct {
	mu     sync.Mutex
	probes []*probe // in the order of Add; only ever grows
}

// NewHealth returns a Health without checks, which is healthy.
func NewHealth() *Health { return &Health{} }

// Add appends a check. It is called with a context that ends after CheckTimeout
// and must return then; nil means healthy. What its error says is shown to
// whoever can reach the admin listener, so it must not carry secrets.
func (h *Health) Add(name string, check func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.probes = append(h.probes, &probe{name: name, check: check})
}

// Check runs all checks at once and reports them in the order of Add. It
// returns after CheckTimeout at the latest, or when ctx ends; checks that have
// not answered by then count as failed.
func (h *Health) Check(ctx context.Context) Report {
	h.mu.Lock()
	probes := slices.Clip(h.probes)
	h.mu.Unlock()

	start := time.Now()
	runs := make([]*run, len(probes))
	for i, p := range probes {
		runs[i] = p.join(ctx)
	}
	wait, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	r := Report{OK: true, Checks: make([]Result, len(probes))}
	for i, p := range probes {
		r.Checks[i] = runs[i].result(wait, p.name, start)
		r.OK = r.OK && r.Checks[i].OK
	}
	return r
}

// Report is the outcome of all checks at one time.
type Report struct {
	// OK says that every check passed.
	OK bool `json:"ok"`
	// Checks has one entry for each check, in the order of Add; never nil.
	Checks []Result `json:"checks"`
}

// Result is the outcome of one check.
type Result struct {
	// Name is the name given to Add.
	Name string `json:"name"`
	// OK says that the check passed.
	OK bool `json:"ok"`
	// Error says why it did not, cut to a line or so.
	Error string `json:"error,omitempty"`
	// DurationMS is how long the check took, in milliseconds.
	DurationMS float64 `json:"duration_ms"`
}

// probe is one check and the run of it that is going on, if any.
type probe struct {
	name  string
	check func(context.Context) error

	mu  sync.Mutex
	now *run // nil when no run is going on
}

// run is one execution of a check. Its err and took are written before done is
// closed and never after.
type run struct {
	done chan struct{}
	err  error
	took time.Duration
}

// join returns the run that is going on, or starts one. The run does not end
// with ctx: another probe may have joined it.
func (p *probe) join(ctx context.Context) *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now != nil {
		return p.now
	}
	r := &run{done: make(chan struct{})}
	p.now = r
	ctx = context.WithoutCancel(ctx)
	go func() {
		start := time.Now()
		r.err = call(ctx, p.check)
		r.took = time.Since(start)
		p.mu.Lock()
		p.now = nil
		p.mu.Unlock()
		close(r.done)
	}()
	return r
}

// call runs check within CheckTimeout and turns a panic into an error, because
// a broken check must not take the process down with it.
func call(ctx context.Context, check func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the check panicked: %v", v)
		}
	}()
	return check(ctx)
}

// result waits until the run is over or wait ends. A check that stopped exactly
// at its timeout wins over the timeout, since its own error says more.
func (r *run) result(wait context.Context, name string, start time.Time) Result {
	select {
	case <-r.done:
	case <-wait.Done():
		select {
		case <-r.done:
		default:
			return Result{Name: name, Error: "no answer: " + wait.Err().Error(), DurationMS: millis(time.Since(start))}
		}
	}
	res := Result{Name: name, OK: r.err == nil, DurationMS: millis(r.took)}
	if r.err != nil {
		res.Error = r.err.Error()
		if len(res.Error) > maxErrorText {
			res.Error = res.Error[:maxErrorText] + "…"
		}
	}
	return res
}

// millis gives d in milliseconds, to the microsecond.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
