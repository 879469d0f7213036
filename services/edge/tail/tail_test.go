package tail_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tidings/services/edge/tail"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// plenty is a limit no test reaches.
const plenty = 1 << 40

// frame makes the frame of an event that holds its own sequence.
func frame(topic subject.Topic, seq uint64) *tail.Frame {
	return tail.Encode(event.Event{Topic: topic, Type: "n", Data: strconv.AppendUint(nil, seq, 10)}, at(seq))
}

// at is a position of the first epoch.
func at(seq uint64) event.Cursor { return event.Cursor{Epoch: "e1", Seq: seq} }

// filled returns a tail that holds one frame for each topic, from sequence 1 on.
func filled(topics ...subject.Topic) *tail.Tail {
	t := tail.New(plenty)
	t.Reset(at(0))
	for i, topic := range topics {
		t.Append(frame(topic, uint64(i+1)))
	}
	return t
}

// recorder counts what a reader is told.
type recorder struct {
	wakes  int
	offers []*tail.Frame
}

func (r *recorder) Wake(*tail.Frame)    { r.wakes++ }
func (r *recorder) Offer(f *tail.Frame) { r.offers = append(r.offers, f) }

// sequences are those of frames.
func sequences(frames []*tail.Frame) []uint64 {
	var list []uint64
	for _, f := range frames {
		list = append(list, f.Seq)
	}
	return list
}

func TestEncode(t *testing.T) {
	t.Parallel()
	ev := event.Event{Topic: "room.ops", Type: "cpu", ID: "1", Except: "c1", Data: []byte(`{"a":1}`)}
	f := tail.Encode(ev, at(7))
	if f.Seq != 7 || f.Topic != "room.ops" || f.Except != "c1" || string(f.SSE) != string(ev.AppendSSE(nil, at(7))) {
		t.Errorf("got %+v", f)
	}
	if f := tail.Encode(ev, event.Cursor{}); f.Seq != 0 || strings.Contains(string(f.SSE), "id: ") {
		t.Errorf("an ephemeral frame is %q", f.SSE)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	tl := filled("room.a", "room.b", "all", "room.a", "user.x", "room.a")
	tl.Skip(8)
	for name, c := range map[string]struct {
		patterns []subject.Pattern
		after    event.Cursor
		buf      int
		want     []uint64
		reached  event.Cursor
		err      error
	}{
		"one topic":            {[]subject.Pattern{"room.a"}, at(0), 9, []uint64{1, 4, 6}, at(8), nil},
		"two topics":           {[]subject.Pattern{"room.b", "room.a"}, at(0), 9, []uint64{1, 2, 4, 6}, at(8), nil},
		"a pattern":            {[]subject.Pattern{"room.*"}, at(1), 9, []uint64{2, 4, 6}, at(8), nil},
		"everything":           {[]subject.Pattern{">"}, at(0), 9, []uint64{1, 2, 3, 4, 5, 6}, at(8), nil},
		"overlapping":          {[]subject.Pattern{"room.a", "room.*", ">"}, at(2), 9, []uint64{3, 4, 5, 6}, at(8), nil},
		"a short buffer":       {[]subject.Pattern{"room.>"}, at(0), 2, []uint64{1, 2}, at(2), nil},
		"just enough buffer":   {[]subject.Pattern{"room.a"}, at(0), 3, []uint64{1, 4, 6}, at(6), nil},
		"no buffer":            {[]subject.Pattern{"room.a"}, at(3), 0, nil, at(3), nil},
		"the newest":           {[]subject.Pattern{"room.a"}, at(5), 9, []uint64{6}, at(8), nil},
		"nothing new":          {[]subject.Pattern{"room.b"}, at(5), 9, nil, at(8), nil},
		"from a hole":          {[]subject.Pattern{"room.a"}, at(7), 9, nil, at(8), nil},
		"at the head":          {[]subject.Pattern{"room.a"}, at(8), 9, nil, at(8), nil},
		"beyond the head":      {[]subject.Pattern{"room.a"}, at(99), 9, nil, at(99), nil},
		"a topic without past": {[]subject.Pattern{"room.none"}, at(0), 9, nil, at(8), nil},
		"no topics":            {nil, at(0), 9, nil, at(8), nil},
		"another epoch":        {[]subject.Pattern{"room.a"}, event.Cursor{Epoch: "e2", Seq: 1}, 9, nil, event.Cursor{Epoch: "e2", Seq: 1}, tail.ErrEpoch},
		"no position":          {[]subject.Pattern{"room.a"}, event.Cursor{}, 9, nil, event.Cursor{}, tail.ErrEpoch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := tl.Join(&recorder{}, c.patterns)
			defer v.Leave()
			buf := make([]*tail.Frame, c.buf)
			for range 2 { // reading changes nothing
				n, reached, err := v.Read(c.after, buf)
				if got := sequences(buf[:n]); !slices.Equal(got, c.want) || reached != c.reached || !errors.Is(err, c.err) {
					t.Errorf("read %v to %v, %v; want %v to %v, %v", got, reached, err, c.want, c.reached, c.err)
				}
			}
		})
	}
}

// TestBeforeTheLog: until the log was reached there is no position to read from.
func TestBeforeTheLog(t *testing.T) {
	t.Parallel()
	tl := tail.New(plenty)
	v := tl.Join(&recorder{}, []subject.Pattern{"all"})
	defer v.Leave()
	buf := make([]*tail.Frame, 1)
	if n, reached, err := v.Read(event.Cursor{}, buf); n != 0 || reached != (event.Cursor{}) || err != nil {
		t.Errorf("read %d to %v, %v", n, reached, err)
	}
	if _, _, err := v.Read(at(1), buf); !errors.Is(err, tail.ErrEpoch) {
		t.Errorf("got %v, want ErrEpoch", err)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	tl := filled("room.a", "room.b", "room.c")
	var r recorder
	v := tl.Join(&r, []subject.Pattern{"room.a", "room.*"})
	defer v.Leave()
	tl.Reset(event.Cursor{Epoch: "e2", Seq: 10})
	if want := (tail.Extent{Epoch: "e2", Start: 10, Head: 10, Topics: 2}); tl.Extent() != want {
		t.Errorf("the tail is %+v, want %+v", tl.Extent(), want)
	}
	if r.wakes == 0 {
		t.Error("the reader was not woken")
	}
	buf := make([]*tail.Frame, 4)
	if _, _, err := v.Read(at(2), buf); !errors.Is(err, tail.ErrEpoch) {
		t.Errorf("got %v, want ErrEpoch", err)
	}
	if _, _, err := v.Read(event.Cursor{Epoch: "e2", Seq: 9}, buf); !errors.Is(err, tail.ErrBehind) {
		t.Errorf("got %v, want ErrBehind", err)
	}
	tl.Append(frame("room.a", 11))
	tl.Append(frame("room.b", 12))
	n, reached, err := v.Read(event.Cursor{Epoch: "e2", Seq: 10}, buf)
	if got := sequences(buf[:n]); !slices.Equal(got, []uint64{11, 12}) || reached.Seq != 12 || err != nil {
		t.Errorf("read %v to %v, %v", got, reached, err)
	}
}

// TestEviction: the oldest frames go, what is behind them is told, and the index
// shrinks with them.
func TestEviction(t *testing.T) {
	t.Parallel()
	one := filled("room.aaaa").Extent().Bytes
	tl := tail.New(10 * one)
	tl.Reset(at(0))
	v := tl.Join(&recorder{}, []subject.Pattern{">"})
	defer v.Leave()
	const total = 1000
	for seq := range uint64(total) {
		tl.Append(frame(subject.Room(fmt.Sprintf("%04d", seq)), seq+1))
		if x := tl.Extent(); x.Bytes > 10*one || x.Topics > x.Frames+1 || x.Frames < 1 || x.Head-x.Start != uint64(x.Frames) {
			t.Fatalf("after %d: %+v", seq+1, x)
		}
	}
	x := tl.Extent()
	if x.Frames < 8 || x.Head != total {
		t.Errorf("the tail is %+v", x)
	}
	buf := make([]*tail.Frame, total)
	if _, _, err := v.Read(at(x.Start-1), buf); !errors.Is(err, tail.ErrBehind) {
		t.Errorf("got %v, want ErrBehind", err)
	}
	if n, _, err := v.Read(at(x.Start), buf); n != x.Frames || err != nil || buf[0].Seq != x.Start+1 {
		t.Errorf("read %d frames, %v", n, err)
	}
}

// TestOversized: one frame is held even if it is over the limit by itself.
func TestOversized(t *testing.T) {
	t.Parallel()
	tl := tail.New(1)
	tl.Reset(at(0))
	for seq := range uint64(3) {
		tl.Append(frame("all", seq+1))
	}
	if x := tl.Extent(); x.Frames != 1 || x.Start != 2 || x.Head != 3 || x.Topics != 1 {
		t.Errorf("the tail is %+v", x)
	}
}

func TestLast(t *testing.T) {
	t.Parallel()
	tl := filled("room.a", "room.b", "all", "room.a", "room.a", "room.b")
	v := tl.Join(&recorder{}, []subject.Pattern{"room.*", "room.none"})
	defer v.Leave()
	for _, c := range []struct {
		pattern subject.Pattern
		n       int
		want    uint64
		ok      bool
	}{
		{"room.a", 1, 4, true},
		{"room.a", 2, 3, true},
		{"room.a", 3, 0, true},
		{"room.a", 4, 0, false},
		{"room.*", 2, 4, true},
		{"room.*", 5, 0, true},
		{"all", 1, 2, true},
		{"room.none", 1, 0, false},
		{"room.unknown", 1, 0, false},
		{">", 1, 0, false}, // nobody reads it, so there is no index of it
		{"room.a", 0, 0, false},
		{"room.a", -1, 0, false},
	} {
		if got, ok := tl.Last(c.pattern, c.n); got != c.want || ok != c.ok {
			t.Errorf("the last %d of %s begin after %d, %v; want %d, %v", c.n, c.pattern, got, ok, c.want, c.ok)
		}
	}
}

// TestWakeAndOffer: readers hear of their topics alone, and of an ephemeral frame once.
func TestWakeAndOffer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		patterns []subject.Pattern
		topic    subject.Topic
		hears    bool
	}{
		"its topic":                         {[]subject.Pattern{"room.a"}, "room.a", true},
		"another topic":                     {[]subject.Pattern{"room.b"}, "room.a", false},
		"a pattern":                         {[]subject.Pattern{"room.*"}, "room.a", true},
		"another pattern":                   {[]subject.Pattern{"user.*"}, "room.a", false},
		"overlapping patterns":              {[]subject.Pattern{"room.a", "room.*", "*.a", ">"}, "room.a", true},
		"patterns of a topic nobody joined": {[]subject.Pattern{"room.*", "room.>"}, "room.new", true},
		"none":                              {nil, "room.a", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tl := filled("room.a")
			var r, left recorder
			tl.Join(&left, c.patterns).Leave()
			v := tl.Join(&r, c.patterns)
			fleeting := []*tail.Frame{frame(c.topic, 0), frame(c.topic, 0)}
			for _, f := range fleeting {
				tl.Offer(f)
			}
			if !c.hears {
				fleeting = nil
			}
			if !slices.Equal(r.offers, fleeting) {
				t.Errorf("was offered %d frames, want %d", len(r.offers), len(fleeting))
			}
			if x := tl.Extent(); x.Frames != 1 || x.Head != 1 {
				t.Errorf("an ephemeral frame was kept: %+v", x)
			}
			tl.Append(frame(c.topic, 2))
			if (r.wakes > 0) != c.hears {
				t.Errorf("was woken %d times", r.wakes)
			}
			v.Leave()
			before := r.wakes
			tl.Append(frame(c.topic, 3))
			tl.Offer(frame(c.topic, 0))
			if r.wakes != before || len(r.offers) != len(fleeting) || left.wakes != 0 || len(left.offers) != 0 {
				t.Error("a reader was called after it left")
			}
		})
	}
}

// TestIndexForgets: topics and patterns nobody needs leave the index.
func TestIndexForgets(t *testing.T) {
	t.Parallel()
	tl := filled("room.a")
	topics := func(want int) {
		t.Helper()
		if got := tl.Extent().Topics; got != want {
			t.Errorf("%d topics in the index, want %d", got, want)
		}
	}
	bytes := tl.Extent().Bytes
	topics(1)
	first := tl.Join(&recorder{}, []subject.Pattern{"room.a", "room.b", "room.*"})
	topics(3)
	second := tl.Join(&recorder{}, []subject.Pattern{"room.*", "all"})
	topics(4)
	first.Leave()
	topics(3) // room.a has a frame
	second.Leave()
	topics(1)
	if got := tl.Extent().Bytes; got != bytes {
		t.Errorf("%d bytes are held, were %d", got, bytes)
	}
	tl.Reset(at(9))
	topics(0)
	if got := tl.Extent().Bytes; got != 0 {
		t.Errorf("an empty tail holds %d bytes", got)
	}
}

// TestBytesAreHonest compares what the tail thinks it holds with what the heap
// says, where each frame has a topic of its own and where many share one.
func TestBytesAreHonest(t *testing.T) {
	for _, topics := range []int{1, 1000, 1 << 30} {
		before := heap()
		tl := tail.New(8 << 20)
		tl.Reset(at(0))
		for i := range 60_000 {
			// As in a message of NATS, the topic is the end of a string of its own.
			subj := fmt.Sprintf("tidings.ev.room.orders.%d", i%topics)
			tl.Append(frame(subject.Topic(subj[len("tidings.ev."):]), uint64(i+1)))
		}
		used, x := heap()-before, tl.Extent()
		t.Logf("%d topics: %d frames of %d B each, counted as %d B", x.Topics, x.Frames, used/int64(x.Frames), x.Bytes/int64(x.Frames))
		if ratio := float64(used) / float64(x.Bytes); ratio < 0.75 || ratio > 1.25 {
			t.Errorf("%d topics: %d bytes are counted, %d are used", x.Topics, x.Bytes, used)
		}
		runtime.KeepAlive(tl)
	}
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the first may leave a sweep undone
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
