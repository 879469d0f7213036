package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/natsx/natsxtest"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// TestMain fails the run if a membership leaves something running.
func TestMain(m *testing.M) { testkit.Main(m) }

func meshOf(t *testing.T, c *natsx.Conn) *mesh.Mesh {
	t.Helper()
	return mesh.New(c, testkit.Space(t), testkit.Log(t))
}

// join makes a member that leaves when the test ends.
func join(t *testing.T, m *mesh.Mesh, s mesh.Service) *mesh.Membership {
	t.Helper()
	p, err := m.Join(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Leave(); err != nil {
			t.Errorf("leave: %v", err)
		}
	})
	return p
}

// names are the members as "service/node".
func names(list []mesh.Member) string {
	var all []string
	for _, x := range list {
		all = append(all, x.Service+"/"+x.Node)
	}
	return strings.Join(all, " ")
}

func look(t *testing.T, m *mesh.Mesh) mesh.Roster {
	t.Helper()
	r, err := m.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sees waits until a look finds exactly these members.
func sees(t *testing.T, m *mesh.Mesh, want string) {
	t.Helper()
	testkit.Eventually(t, "the mesh to be "+want, func() bool {
		r, err := m.Look(t.Context())
		return err == nil && names(r.Members) == want
	})
}

type count struct {
	N int `json:"n"`
}

func TestLook(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	here, there := meshOf(t, testkit.Connect(t, s.URL())), meshOf(t, testkit.Connect(t, s.URL()))
	if r := look(t, here); len(r.Members)+len(r.Gone) != 0 {
		t.Fatalf("an empty mesh has %+v", r)
	}
	join(t, there, mesh.Service{Name: "edge", Node: "b", Tag: "T1", Version: "(devel)", Figures: func() any { return count{7} }})
	join(t, here, mesh.Service{Name: "edge", Node: "a", Tag: "T2", Version: "v1.2.3"})
	gone := join(t, here, mesh.Service{Name: "console", Node: "b", Tag: "T3"})
	// Neither another Tidings on the same account nor a stranger belongs to it.
	other, err := subject.NewSpace("tidings-edge")
	if err != nil {
		t.Fatal(err)
	}
	join(t, mesh.New(testkit.Connect(t, s.URL()), other, testkit.Log(t)), mesh.Service{Name: "edge", Node: "x", Tag: "T4"})
	stranger, err := micro.AddService(testkit.Connect(t, s.URL()).NC, micro.Config{Name: "tidings-edge", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Stop() //nolint:errcheck // it is the stranger's own affair

	sees(t, here, "console/b edge/a edge/b")
	r := look(t, here)
	edges := r.Of("edge")
	if string(edges[1].Figures) != `{"n":7}` || edges[1].Version != "0.0.0+devel" || edges[1].Tag != "T1" || edges[1].Started.IsZero() {
		t.Errorf("edge/b is %+v", edges[1])
	}
	if string(edges[0].Figures) != "null" || edges[0].Version != "1.2.3" {
		t.Errorf("edge/a is %+v", edges[0])
	}
	if err := gone.Leave(); err != nil {
		t.Fatal(err)
	}
	sees(t, here, "edge/a edge/b")
	if r := look(t, here); names(r.Gone) != "console/b" {
		t.Errorf("gone are %q", names(r.Gone))
	}
}

// TestLookIsQuick: once it is known how many there are, nobody waits for the end of
// the time.
func TestLookIsQuick(t *testing.T) {
	t.Parallel()
	m := meshOf(t, testkit.NATS(t))
	for _, tag := range []string{"T1", "T2", "T3"} {
		join(t, m, mesh.Service{Name: "edge", Node: tag, Tag: tag})
	}
	sees(t, m, "edge/T1 edge/T2 edge/T3")
	best := time.Hour
	for range 10 { // the machine may be busy for some of them
		start := time.Now()
		look(t, m)
		best = min(best, time.Since(start))
	}
	if best > 200*time.Millisecond {
		t.Errorf("the quickest of ten looks took %v", best)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	here, there := meshOf(t, testkit.Connect(t, s.URL())), meshOf(t, testkit.Connect(t, s.URL()))
	questions := map[string]mesh.Handler{
		"double": func(_ context.Context, body []byte) (any, error) {
			var c count
			if err := json.Unmarshal(body, &c); err != nil {
				return nil, &mesh.Error{Code: mesh.CodeBad, Detail: "that is no number"}
			}
			return count{2 * c.N}, nil
		},
		"fail":  func(context.Context, []byte) (any, error) { return nil, errors.New("a secret of this place") },
		"large": func(context.Context, []byte) (any, error) { return strings.Repeat("x", mesh.MaxBytes), nil },
		"most":  func(context.Context, []byte) (any, error) { return strings.Repeat("x", mesh.MaxBytes-2), nil },
	}
	join(t, there, mesh.Service{Name: "edge", Node: "b", Tag: "T1", Questions: questions})
	testkit.Eventually(t, "the member to answer", func() bool {
		var c count
		return here.Ask(t.Context(), "edge", "T1", "double", count{21}, &c) == nil && c.N == 42
	})
	refused := func(question string, body any, code int) {
		t.Helper()
		err := here.Ask(t.Context(), "edge", "T1", question, body, new(any))
		e, ok := errors.AsType[*mesh.Error](err)
		if !ok || e.Code != code || strings.Contains(e.Detail, "secret") {
			t.Errorf("%s: %v, want %d", question, err, code)
		}
	}
	refused("double", "garbage", mesh.CodeBad)
	refused("double", strings.Repeat("x", mesh.MaxAsked), mesh.CodeTooLarge)
	refused("fail", nil, mesh.CodeInternal)
	refused("large", nil, mesh.CodeTooLarge)
	var text string
	if err := here.Ask(t.Context(), "edge", "T1", "most", nil, &text); err != nil || len(text) != mesh.MaxBytes-2 {
		t.Errorf("the largest answer: %d bytes, %v", len(text), err)
	}
	for _, who := range [][3]string{{"edge", "T2", "double"}, {"edge", "T1", "nothing"}, {"edge", "*", "double"}, {"edge", "T1.x", ">"}, {"", "", ""}} {
		if err := here.Ask(t.Context(), who[0], who[1], who[2], nil, new(any)); !errors.Is(err, mesh.ErrNobody) {
			t.Errorf("%v: %v, want nobody", who, err)
		}
	}
}

// TestAskAll: a member that hangs costs its own answer only.
func TestAskAll(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	here, there := meshOf(t, testkit.Connect(t, s.URL())), meshOf(t, testkit.Connect(t, s.URL()))
	good := func(n int) map[string]mesh.Handler {
		return map[string]mesh.Handler{"n": func(context.Context, []byte) (any, error) { return count{n}, nil }}
	}
	hangs := map[string]mesh.Handler{"n": func(ctx context.Context, _ []byte) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	join(t, there, mesh.Service{Name: "edge", Node: "b", Tag: "T2", Questions: good(2)})
	join(t, there, mesh.Service{Name: "edge", Node: "c", Tag: "T3", Questions: hangs})
	join(t, here, mesh.Service{Name: "edge", Node: "a", Tag: "T1", Questions: good(1)})
	join(t, here, mesh.Service{Name: "producer", Node: "a", Tag: "T1", Questions: good(9)})
	sees(t, here, "edge/a edge/b edge/c producer/a")
	answers, silent, err := mesh.AskAll[count](t.Context(), here, "edge", "n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) != 2 || answers[0].From.Node != "a" || answers[0].Value.N != 1 || answers[1].Value.N != 2 {
		t.Errorf("answers: %+v", answers)
	}
	if len(silent) != 1 || silent[0].Member.Node != "c" || !errors.Is(silent[0].Err, natsx.ErrAway) {
		t.Errorf("silent: %+v", silent)
	}
}

// TestRejoins: when NATS comes back, the members are back without anyone's help.
func TestRejoins(t *testing.T) {
	t.Parallel()
	s := natsxtest.Run(t, "jetstream: enabled")
	here, there := meshOf(t, testkit.Connect(t, s.URL())), meshOf(t, testkit.Connect(t, s.URL()))
	var asked atomic.Int32
	questions := map[string]mesh.Handler{"n": func(context.Context, []byte) (any, error) { return count{int(asked.Add(1))}, nil }}
	join(t, there, mesh.Service{Name: "edge", Node: "b", Tag: "T1", Questions: questions})
	sees(t, here, "edge/b")
	s.Stop()
	testkit.Eventually(t, "the loss to be noticed", func() bool {
		_, err := here.Look(t.Context())
		return errors.Is(err, natsx.ErrAway)
	})
	late := join(t, there, mesh.Service{Name: "edge", Node: "late", Tag: "T2"})
	s.Start()
	sees(t, here, "edge/b edge/late")
	var c count
	if err := here.Ask(t.Context(), "edge", "T1", "n", nil, &c); err != nil || c.N != 1 {
		t.Errorf("asked after the restart: %+v, %v", c, err)
	}
	s.Stop()
	if err := late.Leave(); err != nil {
		t.Errorf("leave while NATS is away: %v", err)
	}
	s.Start()
	sees(t, here, "edge/b")
}

// TestLeaveWaits: nothing of a member runs after it has left.
func TestLeaveWaits(t *testing.T) {
	t.Parallel()
	m := meshOf(t, testkit.NATS(t))
	begun, ended := make(chan struct{}), atomic.Bool{}
	p := join(t, m, mesh.Service{Name: "edge", Node: "a", Tag: "T1", Questions: map[string]mesh.Handler{
		"n": func(ctx context.Context, _ []byte) (any, error) {
			close(begun)
			<-ctx.Done()
			ended.Store(true)
			return nil, ctx.Err()
		},
	}})
	asked := make(chan error, 1)
	go func() { asked <- m.Ask(t.Context(), "edge", "T1", "n", nil, new(any)) }()
	<-begun
	if err := p.Leave(); err != nil || !ended.Load() {
		t.Errorf("left: %v, the answer had ended: %v", err, ended.Load())
	}
	if err := <-asked; err == nil {
		t.Error("who left has answered")
	}
	if err := p.Leave(); err != nil {
		t.Errorf("leave twice: %v", err)
	}
}

func TestJoinFails(t *testing.T) {
	t.Parallel()
	m := meshOf(t, testkit.NATS(t))
	nothing := func(context.Context, []byte) (any, error) { return nil, nil }
	for name, s := range map[string]mesh.Service{
		"no name":         {Tag: "T"},
		"a wild tag":      {Name: "edge", Tag: "*"},
		"a long tag":      {Name: "edge", Tag: strings.Repeat("T", 65)},
		"a bad question":  {Name: "edge", Tag: "T", Questions: map[string]mesh.Handler{"a.b": nothing}},
		"figures, theirs": {Name: "edge", Tag: "T", Questions: map[string]mesh.Handler{"figures": nothing}},
		"shared figures":  {Name: "edge", Shared: map[string]mesh.Shared{"figures": {Handler: nothing}}},
		"a bad share":     {Name: "edge", Shared: map[string]mesh.Shared{"a.b": {Handler: nothing}}},
		"no handler":      {Name: "edge", Shared: map[string]mesh.Shared{"a": {}}},
		"too much":        {Name: "edge", Shared: map[string]mesh.Shared{"a": {Handler: nothing, MaxBytes: mesh.MaxShared + 1}}},
		"too many":        {Name: "edge", Shared: map[string]mesh.Shared{"a": {Handler: nothing, Concurrent: 1 << 20}}},
		"less than none":  {Name: "edge", Shared: map[string]mesh.Shared{"a": {Handler: nothing, Concurrent: -1}}},
		"both": {
			Name: "edge", Questions: map[string]mesh.Handler{"a": nothing}, Shared: map[string]mesh.Shared{"a": {Handler: nothing}},
		},
	} {
		if p, err := m.Join(s); err == nil {
			t.Errorf("%s: joined", name)
			_ = p.Leave()
		}
	}
	if r := look(t, m); len(r.Members) != 0 {
		t.Errorf("who could not join is there: %+v", r.Members)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	for in, want := range map[string]string{
		"": "0.0.0", "(devel)": "0.0.0+devel", "v1.2.3": "1.2.3", "1.2": "0.0.0+12", "test": "0.0.0+test",
		"v0.0.0-20260101120000-abcdef012345+dirty": "0.0.0-20260101120000-abcdef012345+dirty",
		"v1.0.0-01": "0.0.0+v100-01", "v1.0.0-0a": "1.0.0-0a", "über": "0.0.0+ber", strings.Repeat("9", 100): "0.0.0+" + strings.Repeat("9", 40),
	} {
		got := mesh.Version(in)
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		c := micro.Config{Name: "x", Version: got}
		if s, err := micro.AddService(conn.NC, c); err != nil {
			t.Errorf("%q: NATS says %v", got, err)
		} else if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}
