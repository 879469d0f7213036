package tail_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"tidings/services/edge/tail"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// TestModel does random things to a tail and to a model that keeps everything in
// one list and filters it, and compares what can be seen of both.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, seed)
			for m.step = range 3000 {
				m.act()
				m.compare()
			}
		})
	}
}

// model is a tail written down naively.
type model struct {
	t    *testing.T
	rand *rand.Rand
	step int

	tail  *tail.Tail
	limit int64

	epoch  int
	reset  uint64 // where the log went on after the last Reset
	head   uint64
	frames []*tail.Frame // all since the last Reset, dropped ones too
	views  []*modelView
}

// modelView is a view with what it should know.
type modelView struct {
	recorder
	view     *tail.View
	patterns []subject.Pattern
	wakes    int // how often the reader was heard of
	offers   []*tail.Frame
}

// selects reports whether any of the view's patterns does.
func (v *modelView) selects(t subject.Topic) bool {
	return slices.ContainsFunc(v.patterns, func(p subject.Pattern) bool { return p.Match(t) })
}

func newModel(t *testing.T, seed uint64) *model {
	t.Helper()
	// From one frame at a time to all that a run makes.
	limit := []int64{1, 1000, 4000, 20_000, plenty}[seed%5]
	m := &model{t: t, rand: rand.New(rand.NewPCG(seed, 1)), limit: limit, tail: tail.New(limit)}
	m.restart()
	return m
}

// topics and patterns are few, so that they meet often.
func topics() []subject.Topic {
	return []subject.Topic{"all", "user.a", "user.b", "room.a", "room.b", "room.a.x", "room.a.y", "room.b.x"}
}

func patterns() []subject.Pattern {
	list := []subject.Pattern{">", "*", "user.*", "room.*", "room.>", "room.a.*", "room.*.x", "*.a", "room.none"}
	for _, t := range topics() {
		list = append(list, subject.Pattern(t))
	}
	return list
}

// act does one thing at random.
func (m *model) act() {
	switch n := m.rand.IntN(1000); {
	case n < 500:
		m.append()
	case n < 550:
		m.head += 1 + m.rand.Uint64N(3)
		m.tail.Skip(m.head)
	case n < 650:
		m.offer()
	case n < 800:
		m.join()
	case n < 995:
		m.leave()
	default:
		m.restart()
	}
}

func (m *model) restart() {
	m.epoch++
	m.reset = m.rand.Uint64N(1000)
	m.head, m.frames = m.reset, nil
	m.tail.Reset(m.cursor(m.reset))
	m.checkWakes(func(v *modelView) bool { return len(v.patterns) > 0 })
}

func (m *model) append() {
	m.head += 1 + m.rand.Uint64N(2) // sequences have holes
	f := frame(topics()[m.rand.IntN(len(topics()))], m.head)
	m.frames = append(m.frames, f)
	m.tail.Append(f)
	m.checkWakes(func(v *modelView) bool { return v.selects(f.Topic) })
}

// checkWakes compares who was woken by the last act.
func (m *model) checkWakes(want func(*modelView) bool) {
	m.t.Helper()
	for _, v := range m.views {
		if woken := v.recorder.wakes > v.wakes; woken != want(v) {
			m.fail("a reader of %v was woken: %v", v.patterns, woken)
		}
		v.wakes = v.recorder.wakes
	}
}

func (m *model) offer() {
	f := frame(topics()[m.rand.IntN(len(topics()))], 0)
	m.tail.Offer(f)
	for _, v := range m.views {
		if v.selects(f.Topic) {
			v.offers = append(v.offers, f)
		}
		if !slices.Equal(v.recorder.offers, v.offers) {
			m.fail("a reader of %v was offered %d frames, want %d", v.patterns, len(v.recorder.offers), len(v.offers))
		}
	}
}

func (m *model) join() {
	list := patterns()
	m.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	v := &modelView{patterns: list[:m.rand.IntN(5)]}
	v.view = m.tail.Join(v, v.patterns)
	m.views = append(m.views, v)
}

func (m *model) leave() {
	if len(m.views) > 0 {
		i := m.rand.IntN(len(m.views))
		m.views[i].view.Leave()
		m.views = slices.Delete(m.views, i, i+1)
	}
}

func (m *model) cursor(seq uint64) event.Cursor {
	return event.Cursor{Epoch: fmt.Sprintf("e%d", m.epoch), Seq: seq}
}

// compare looks at everything that can be seen.
func (m *model) compare() {
	m.t.Helper()
	x := m.tail.Extent()
	if x.Frames > len(m.frames) || len(m.frames) > 0 && x.Frames == 0 {
		m.fail("%d frames are held of %d", x.Frames, len(m.frames))
	}
	dropped := m.frames[:len(m.frames)-x.Frames]
	held := m.frames[len(dropped):]
	start := m.reset
	if len(dropped) > 0 {
		start = dropped[len(dropped)-1].Seq
	}
	if at := m.cursor(start); x.Epoch != at.Epoch || x.Start != at.Seq || x.Head != m.head {
		m.fail("the tail is %+v, want it after %v up to %d", x, at, m.head)
	}
	m.compareIndex(x, held)
	m.compareLast(held)
	for _, v := range m.views {
		m.compareRead(v, start, held)
	}
}

// compareIndex checks the index's size, and the bytes against those of a fresh
// tail that holds the same.
func (m *model) compareIndex(x tail.Extent, held []*tail.Frame) {
	m.t.Helper()
	index := map[subject.Pattern]bool{}
	fresh := tail.New(plenty)
	for _, v := range m.views {
		for _, p := range v.patterns {
			index[p] = true
		}
		fresh.Join(&recorder{}, v.patterns)
	}
	for _, f := range held {
		index[subject.Pattern(f.Topic)] = true
		if m.step%50 == 0 {
			fresh.Append(f)
		}
	}
	if x.Topics != len(index) {
		m.fail("%d topics in the index, want %d", x.Topics, len(index))
	}
	if want := fresh.Extent().Bytes; m.step%50 == 0 && x.Bytes != want {
		m.fail("%d bytes are counted, want %d", x.Bytes, want)
	}
	if len(held) > 1 && x.Bytes > m.limit && m.grew(x) {
		m.fail("%d bytes are held, at most %d", x.Bytes, m.limit)
	}
}

// grew reports whether the tail is over its limit by more than the slots that
// patterns joined since the last Append have taken.
func (m *model) grew(x tail.Extent) bool {
	return x.Bytes > m.limit+int64(8*x.Frames*len(patterns()))
}

func (m *model) compareLast(held []*tail.Frame) {
	m.t.Helper()
	list := patterns()
	p, n := list[m.rand.IntN(len(list))], 1+m.rand.IntN(4)
	selected := filter(held, func(f *tail.Frame) bool { return p.Match(f.Topic) })
	known := p.Exact() && len(selected) > 0 || slices.ContainsFunc(m.views, func(v *modelView) bool { return slices.Contains(v.patterns, p) })
	want, wantOK := uint64(0), false
	if known && len(selected) >= n {
		want, wantOK = selected[len(selected)-n].Seq-1, true
	}
	if got, ok := m.tail.Last(p, n); got != want || ok != wantOK {
		m.fail("the last %d of %s begin after %d, %v; want %d, %v", n, p, got, ok, want, wantOK)
	}
}

func (m *model) compareRead(v *modelView, start uint64, held []*tail.Frame) {
	m.t.Helper()
	after := m.cursor(m.reset + m.rand.Uint64N(m.head-m.reset+3))
	if m.rand.IntN(20) == 0 {
		after.Epoch = "other"
	}
	buf := make([]*tail.Frame, m.rand.IntN(8))
	var want []*tail.Frame
	var wantErr error
	reached := after
	switch {
	case after.Epoch == "other":
		wantErr = tail.ErrEpoch
	case after.Seq < start:
		wantErr = tail.ErrBehind
	case after.Seq < m.head && len(buf) > 0:
		want = filter(held, func(f *tail.Frame) bool { return f.Seq > after.Seq && v.selects(f.Topic) })
		reached.Seq = m.head
		if len(want) >= len(buf) {
			want = want[:len(buf)]
			reached.Seq = want[len(want)-1].Seq
		}
	}
	n, got, err := v.view.Read(after, buf)
	if !slices.Equal(buf[:n], want) || got != reached || !errors.Is(err, wantErr) {
		m.fail("%v after %v into %d: %v up to %v, %v; want %v up to %v, %v",
			v.patterns, after, len(buf), sequences(buf[:n]), got, err, sequences(want), reached, wantErr)
	}
}

func filter(frames []*tail.Frame, keep func(*tail.Frame) bool) []*tail.Frame {
	var list []*tail.Frame
	for _, f := range frames {
		if keep(f) {
			list = append(list, f)
		}
	}
	return list
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("step %d: "+format, append([]any{m.step}, args...)...)
}
