package tail_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/edge/tail"
	"tidings/services/edge/websocket"
	"tidings/services/edge/websocket/websockettest"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// TestTwins: the forms of a frame say what the event itself would say.
func TestTwins(t *testing.T) {
	t.Parallel()
	for name, ev := range map[string]event.Event{
		"least":         {Topic: "all", Type: "message", Data: []byte("null")},
		"all fields":    {Topic: "room.ops", Type: "cpu", ID: `a"1`, Source: "user.ann", Time: time.Unix(1, 2), Data: []byte(`{"a":[1,{}]}`)},
		"two lines":     {Topic: "room.ops", Type: "x", Data: []byte("{\n \"a\":\n1}\n\n")},
		"looks like it": {Topic: "room.ops", Type: "x", ID: "id: ", Data: []byte("x\ndata: y\n\nid: 7\n,\"cursor\":\"\"}")},
		"text":          {Topic: "room.ops", Type: "x", Data: []byte("a }\u2028 \x00 b")},
		"bytes":         {Topic: "room.ops", Type: "x", Data: []byte{0xff, 0, '\n'}},
		"large":         {Topic: "room.ops", Type: "x", Data: []byte(`"` + strings.Repeat("paid ", 30_000) + `"`)},
		"medium":        {Topic: "room.ops", Type: "x", Data: []byte(`"` + strings.Repeat("paid ", 200) + `"`)},
	} {
		for _, c := range []event.Cursor{at(7), at(1 << 60), {}} {
			t.Run(fmt.Sprintf("%s at %s", name, c), func(t *testing.T) {
				t.Parallel()
				tl := filled("room.other")
				f := tail.Encode(ev, c)
				want := ev.AppendJSONCursor(nil, c)
				if got := f.AppendJSON([]byte("x")); string(got) != "x"+string(want) {
					t.Errorf("as JSON %.300s, want %.300s", got, want)
				}
				if has := bytes.Contains(want, []byte(`"cursor":"e1-`)); has != (c.Epoch != "") {
					t.Errorf("a cursor is in %.300s: %v", want, has)
				}
				if got := tl.Text(f); !bytes.Equal(got, websocket.AppendText(nil, want)) {
					t.Errorf("as a message %.300q", got)
				}
				got := tl.Deflated(f)
				if got[0]&0x40 == 0 {
					if &got[0] != &tl.Text(f)[0] {
						t.Error("what is not compressed is not shared")
					}
					return
				}
				header := len(websocket.AppendHeader(nil, websocket.Text, true, true, len(got)-10))
				plain, err := websockettest.Inflate(got[header:])
				if err != nil || !bytes.Equal(plain, want) || len(got) >= len(want) {
					t.Errorf("compressed to %d of %d bytes: %.300s, %v", len(got), len(want), plain, err)
				}
			})
		}
	}
}

// TestTwinsAreMadeOnce: whoever asks first, all get the same bytes, and they are
// counted once.
func TestTwinsAreMadeOnce(t *testing.T) {
	t.Parallel()
	for round := range 50 {
		tl := tail.New(plenty)
		tl.Reset(at(0))
		f := tail.Encode(event.Event{Topic: "room.ops", Type: "n", Data: []byte(`"` + strings.Repeat("paid ", 200) + `"`)}, at(1))
		tl.Append(f)
		before := tl.Extent().Bytes
		var wg sync.WaitGroup
		var got [8][3]*byte
		for i := range got {
			wg.Go(func() { got[i] = [3]*byte{&tl.Text(f)[0], &tl.Deflated(f)[0], &tl.Packed(f).Bytes[0]} })
		}
		wg.Wait()
		for i := range got {
			if got[i] != got[0] {
				t.Fatalf("round %d: there are several twins", round)
			}
		}
		after := tl.Extent().Bytes
		least := int64(len(tl.Text(f)) + len(tl.Deflated(f)) + len(tl.Packed(f).Chunk))
		if grown := after - before; grown < least || grown > 2*least+500 {
			t.Errorf("the twins have %d bytes and %d are counted", least, grown)
		}
		tl.Text(f)
		if tl.Deflated(f); tl.Extent().Bytes != after {
			t.Error("a known twin was counted again")
		}
	}
}

// TestDeflatedIsAlone: a message that is compressed is not kept in plain as well, unless
// somebody asks for that.
func TestDeflatedIsAlone(t *testing.T) {
	t.Parallel()
	for size, alone := range map[int]bool{20: false, 200: true} {
		tl := tail.New(plenty)
		tl.Reset(at(0))
		ev := event.Event{Topic: "room.ops", Type: "n", Data: []byte(`"` + strings.Repeat("paid ", size) + `"`)}
		f := tail.Encode(ev, at(1))
		tl.Append(f)
		before := tl.Extent().Bytes
		packed := len(tl.Deflated(f))
		grown := tl.Extent().Bytes - before
		if grown < int64(packed) || grown > int64(packed)*3/2+100 {
			t.Errorf("%d: a message of %d bytes is counted as %d", size, packed, grown)
		}
		text := websocket.AppendText(nil, ev.AppendJSONCursor(nil, at(1)))
		if got := tl.Text(f); !bytes.Equal(got, text) || len(got) > packed != alone {
			t.Errorf("%d: beside %d bytes is %q", size, packed, got)
		}
		if both := tl.Extent().Bytes - before; both > grown != alone {
			t.Errorf("%d: in both forms %d bytes are counted, %d in one", size, both, grown)
		}
	}
}

// TestTwinsAreForgotten: what is not held is not counted.
func TestTwinsAreForgotten(t *testing.T) {
	t.Parallel()
	ask := func(tl *tail.Tail, f *tail.Frame) {
		tl.Text(f)
		tl.Deflated(f)
		tl.Packed(f)
	}
	tl := filled("room.a")
	start := tl.Extent().Bytes
	ask(tl, tail.Encode(event.Event{Topic: "room.a", Type: "n", Data: []byte("1")}, event.Cursor{}))
	if got := tl.Extent().Bytes; got != start {
		t.Errorf("an ephemeral frame's twins are counted: %d, were %d", got, start)
	}
	// A frame that was dropped, before and after its twins were made.
	small := tail.New(4 << 10)
	small.Reset(at(0))
	var frames []*tail.Frame
	for seq := range uint64(200) {
		f := frame("room.a", seq+1)
		small.Append(f)
		frames = append(frames, f)
		ask(small, f)
		ask(small, frames[0])
		ask(small, frames[len(frames)/2])
	}
	// A frame of another log, whose number means nothing in this one.
	small.Reset(event.Cursor{Epoch: "e2"})
	other := frame("room.a", 1000)
	ask(small, other)
	if x := small.Extent(); x.Bytes != 0 || x.Frames != 0 {
		t.Errorf("the empty tail is %+v", x)
	}
}

// TestTwinsAreHonest compares what twins are counted as with what the heap says.
func TestTwinsAreHonest(t *testing.T) {
	for name, ask := range map[string]func(*tail.Tail, *tail.Frame){
		"text":       func(tl *tail.Tail, f *tail.Frame) { tl.Text(f) },
		"deflated":   func(tl *tail.Tail, f *tail.Frame) { tl.Deflated(f) },
		"compressed": func(tl *tail.Tail, f *tail.Frame) { tl.Packed(f) },
		"everything": func(tl *tail.Tail, f *tail.Frame) { tl.Deflated(f); tl.Packed(f) },
	} {
		for _, size := range []int{100, 2000} {
			tl := tail.New(plenty)
			tl.Reset(at(0))
			var frames []*tail.Frame
			data := []byte(`"` + strings.Repeat("paid in full ", size/13) + `"`)
			for i := range 1 << 20 / size {
				f := tail.Encode(event.Event{Topic: subject.Room("a"), Type: "n", Data: data}, at(uint64(i+1)))
				tl.Append(f)
				frames = append(frames, f)
			}
			ask(tl, frames[0]) // compressors are no twins
			used, counted := heap(), tl.Extent().Bytes
			for _, f := range frames {
				ask(tl, f)
			}
			used, counted = heap()-used, tl.Extent().Bytes-counted
			t.Logf("%s of %d B: %d B each, counted as %d B", name, size, used/int64(len(frames)), counted/int64(len(frames)))
			if ratio := float64(used) / float64(counted); ratio < 0.7 || ratio > 1.3 {
				t.Errorf("%s of %d B: %d bytes are counted, %d are used", name, size, counted, used)
			}
			runtime.KeepAlive(tl)
		}
	}
}
