package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"tidings/shared/httpx"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/testkit"
)

// answers makes shared questions of handlers.
func answers(all map[string]mesh.Handler) map[string]mesh.Shared {
	shared := map[string]mesh.Shared{}
	for name, h := range all {
		shared[name] = mesh.Shared{Handler: h}
	}
	return shared
}

// TestAskAny: one member of many answers, each gets its share, and without a Mesh it
// works as well.
func TestAskAny(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	conn := testkit.Connect(t, s.URL())
	m := meshOf(t, conn)
	if err := m.AskAny(t.Context(), "notifier", "n", nil, new(any)); !errors.Is(err, mesh.ErrNobody) {
		t.Errorf("with nobody there: %v", err)
	}
	var asked [3]atomic.Int32
	tags := map[string]bool{}
	for i := range asked {
		p := join(t, meshOf(t, testkit.Connect(t, s.URL())), mesh.Service{Name: "notifier", Node: fmt.Sprint(i), Shared: answers(map[string]mesh.Handler{
			"n": func(_ context.Context, body []byte) (any, error) {
				asked[i].Add(1)
				return json.RawMessage(body), nil
			},
		})})
		tags[p.Tag()] = true
	}
	if len(tags) != len(asked) || tags[""] {
		t.Errorf("the tags that were drawn: %v", tags)
	}
	sees(t, m, "notifier/0 notifier/1 notifier/2")
	total := int32(0)
	for range 200 {
		var c count
		if err := m.AskAny(t.Context(), "notifier", "n", count{7}, &c); err != nil || c.N != 7 {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	for i := range asked {
		if n := asked[i].Load(); n == 0 {
			t.Errorf("%d was never asked", i)
		} else {
			total += n
		}
	}
	if total != 200 {
		t.Errorf("asked 200 times, answered %d", total)
	}
	answer, err := conn.NC.RequestWithContext(t.Context(), "tidings.svc.notifier.n", []byte(`{"<>":1}`))
	if err != nil || string(answer.Data) != `{"<>":1}` {
		t.Errorf("without a mesh: %v, %v", answer, err)
	}
	for _, who := range [][2]string{{"notifier", "m"}, {"nobody", "n"}, {"notifier", "*"}, {"", ""}} {
		if err := m.AskAny(t.Context(), who[0], who[1], nil, new(any)); !errors.Is(err, mesh.ErrNobody) {
			t.Errorf("%v: %v, want nobody", who, err)
		}
	}
	s.Stop()
	soon := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return m.AskAny(ctx, "notifier", "n", count{7}, new(any))
	}
	testkit.Eventually(t, "the loss to be noticed", func() bool { return errors.Is(soon(), natsx.ErrAway) })
	s.Start()
	testkit.Eventually(t, "the members to be back", func() bool { return soon() == nil })
}

// teapot knows how to show itself.
type teapot struct{}

func (teapot) Error() string { return "a secret of this place" }

func (teapot) Problem() *httpx.Problem {
	return httpx.NewProblem(http.StatusTeapot, "teapot", "Ünicode\r\nand <more>.").WithHint("Try coffee.").WithParam("to[2].email").WithRetryAfter(90 * time.Second)
}

// TestProblems: what a member would show to a caller of its own is what the one who
// asks can show.
func TestProblems(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	m := meshOf(t, c)
	handlers := map[string]mesh.Handler{
		"typed":   func(context.Context, []byte) (any, error) { return nil, fmt.Errorf("here: %w", teapot{}) },
		"problem": func(context.Context, []byte) (any, error) { return nil, teapot{}.Problem() },
		"long": func(context.Context, []byte) (any, error) {
			return nil, httpx.Bad("x", "long", strings.Repeat("ü", 2000))
		},
		"secret": func(context.Context, []byte) (any, error) { return nil, errors.New("a secret of this place") },
		"plain":  func(context.Context, []byte) (any, error) { return nil, &mesh.Error{Code: mesh.CodeUnknown} },
	}
	own := map[string]mesh.Handler{}
	for name, h := range handlers {
		own["own-"+name] = h
	}
	p := join(t, m, mesh.Service{Name: "notifier", Questions: own, Shared: answers(handlers)})
	for _, kind := range []string{"shared", "own"} {
		ask := func(name string) error {
			if kind == "own" {
				return m.Ask(t.Context(), "notifier", p.Tag(), "own-"+name, nil, new(any))
			}
			return m.AskAny(t.Context(), "notifier", name, nil, new(any))
		}
		for _, name := range []string{"typed", "problem"} {
			err := ask(name)
			got, want := httpx.ProblemOf(err, nil), teapot{}.Problem()
			if got.Status != want.Status || got.Code != want.Code || got.Detail != want.Detail || got.Hint != want.Hint ||
				got.Param != want.Param || got.RetryAfter != want.RetryAfter || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s %s: %+v", kind, name, got)
			}
			if e, ok := errors.AsType[*mesh.Error](err); !ok || e.Code != http.StatusTeapot {
				t.Errorf("%s %s: %v", kind, name, err)
			}
		}
		if p := httpx.ProblemOf(ask("long"), nil); p.Code != "long" || len(p.Detail) != 4000 {
			t.Errorf("%s long: %+v", kind, p)
		}
		if p := httpx.ProblemOf(ask("secret"), nil); p.Code != httpx.CodeInternal || strings.Contains(p.Detail+p.Hint, "secret") {
			t.Errorf("%s secret: %+v", kind, p)
		}
		if e, ok := errors.AsType[*mesh.Error](ask("plain")); !ok || e.Code != mesh.CodeUnknown || e.Problem() != nil {
			t.Errorf("%s plain: %v", kind, e)
		}
	}
	answer, err := c.NC.RequestWithContext(t.Context(), "tidings.svc.notifier.typed", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := answer.Header
	if h.Get(micro.ErrorCodeHeader) != "418" || h.Get(micro.ErrorHeader) != "Ünicode and <more>." || h.Get("Content-Type") != "application/problem+json" ||
		!json.Valid(answer.Data) || h.Get("Retry-After") != "90" {
		t.Errorf("any client gets %v %s", h, answer.Data)
	}
}

func TestSharedBounds(t *testing.T) {
	t.Parallel()
	m := meshOf(t, testkit.NATS(t))
	length := func(_ context.Context, body []byte) (any, error) { return len(body), nil }
	join(t, m, mesh.Service{Name: "notifier", Shared: map[string]mesh.Shared{
		"small": {Handler: length}, "large": {Handler: length, MaxBytes: mesh.MaxShared},
	}})
	for _, c := range []struct {
		question string
		size     int // of the text, with quotes two more
		ok       bool
	}{
		{"small", mesh.MaxAsked - 2, true},
		{"small", mesh.MaxAsked - 1, false},
		{"large", mesh.MaxShared - 2, true},
		{"large", mesh.MaxShared - 1, false},
	} {
		var n int
		err := m.AskAny(t.Context(), "notifier", c.question, strings.Repeat("<", c.size), &n)
		if e, told := errors.AsType[*mesh.Error](err); c.ok && (err != nil || n != c.size+2) || !c.ok && (!told || e.Code != mesh.CodeTooLarge) {
			t.Errorf("%s %d: %d, %v", c.question, c.size, n, err)
		}
	}
}

// TestConcurrent: as many run at a time as may, as many again wait, and all others hear
// at once that there are too many.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	m := meshOf(t, testkit.NATS(t))
	const most = 3
	var running, peak, done atomic.Int32
	gate := make(chan struct{})
	join(t, m, mesh.Service{Name: "notifier", Shared: map[string]mesh.Shared{"wait": {Concurrent: most, Handler: func(context.Context, []byte) (any, error) {
		n := running.Add(1)
		for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
		}
		<-gate
		running.Add(-1)
		return nil, nil
	}}}})
	var wg sync.WaitGroup
	var refused atomic.Int32
	for range 4 * most {
		wg.Go(func() {
			err := m.AskAny(t.Context(), "notifier", "wait", nil, new(any))
			switch p := httpx.ProblemOf(err, nil); {
			case err == nil:
				done.Add(1)
			case p.Code == httpx.CodeOverloaded && p.RetryAfter > 0:
				refused.Add(1)
			default:
				t.Errorf("refused with %v", err)
			}
		})
	}
	// Those that wait give up after a second; those that run go on.
	testkit.Eventually(t, "all others to be refused", func() bool { return refused.Load() == 3*most && running.Load() == most })
	close(gate)
	wg.Wait()
	if peak.Load() != most || done.Load() != most {
		t.Errorf("%d ran at once and %d were answered, want %d", peak.Load(), done.Load(), most)
	}
	if err := m.AskAny(t.Context(), "notifier", "wait", nil, new(any)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestAskAnyEnds: who asks waits no longer than its context, though a member hangs.
func TestAskAnyEnds(t *testing.T) {
	t.Parallel()
	m := meshOf(t, testkit.NATS(t))
	gate := make(chan struct{})
	join(t, m, mesh.Service{Name: "notifier", Shared: answers(map[string]mesh.Handler{
		"hang": func(context.Context, []byte) (any, error) { <-gate; return nil, nil },
	})})
	defer close(gate)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := m.AskAny(ctx, "notifier", "hang", nil, new(any)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestLeaveFinishes: what is under way is finished, unless it takes too long.
func TestLeaveFinishes(t *testing.T) {
	t.Parallel()
	m := meshOf(t, testkit.NATS(t))
	begun, gate := make(chan struct{}, 2), make(chan struct{})
	p := join(t, m, mesh.Service{Name: "notifier", Shared: answers(map[string]mesh.Handler{
		"quick": func(context.Context, []byte) (any, error) { begun <- struct{}{}; <-gate; return 1, nil },
		"hang": func(ctx context.Context, _ []byte) (any, error) {
			begun <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})})
	quick, hang := make(chan error, 1), make(chan error, 1)
	go func() { quick <- m.AskAny(t.Context(), "notifier", "quick", nil, new(any)) }()
	go func() { hang <- m.AskAny(t.Context(), "notifier", "hang", nil, new(any)) }()
	<-begun
	<-begun
	left := make(chan error, 1)
	go func() { left <- p.Leave() }()
	testkit.Eventually(t, "nobody to be there", func() bool {
		return errors.Is(m.AskAny(t.Context(), "notifier", "nothing", nil, new(any)), mesh.ErrNobody) && len(look(t, m).Members) == 0
	})
	close(gate)
	if err := <-quick; err != nil {
		t.Errorf("what was under way: %v", err)
	}
	if p := httpx.ProblemOf(<-hang, nil); p.Code != httpx.CodeShuttingDown {
		t.Errorf("what took too long: %+v", p)
	}
	if err := <-left; err != nil {
		t.Error(err)
	}
}
