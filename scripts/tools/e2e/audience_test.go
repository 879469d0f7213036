package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// hearing is how long a test may take from its start to the end of its client's
	// streams. A browser starts in seconds and then hears an event in milliseconds.
	hearing = 40 * time.Second
	// ahead is how much a stream may hear before it is asked: more than is ever said.
	ahead = 100
	// ended is the type of what a client tells last: that its stream has ended. The
	// data is what was wrong about that, "" for a stream that was read to its end.
	ended = "ended"
	// sampled is where the samples are published.
	sampled = "room.samples"
)

// heard is one event as a client got it.
type heard struct{ Stream, ID, Type, Data string }

// audience is a client that reads one stream or several of them.
type audience struct {
	t       *testing.T
	ctx     context.Context // ends when the test has taken too long
	streams map[string]chan heard
	last    map[string]uint64 // the sequence each stream has come to
}

// newAudience is told of streams with these names.
func newAudience(t *testing.T, streams ...string) *audience {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hearing)
	t.Cleanup(cancel)
	a := &audience{t: t, ctx: ctx, streams: map[string]chan heard{}, last: map[string]uint64{}}
	for _, s := range streams {
		a.streams[s] = make(chan heard, ahead)
	}
	return a
}

// tell says what the client got. It may be called from any goroutine.
func (a *audience) tell(h heard) error {
	stream := a.streams[h.Stream]
	if stream == nil {
		return fmt.Errorf("there is no stream %q", h.Stream)
	}
	select {
	case stream <- h:
		return nil
	default:
		return fmt.Errorf("the stream %s said more than was ever published", h.Stream)
	}
}

// all takes the next event of every stream and fails the test unless it is right.
// Nothing may come in between.
func (a *audience) all(what string, right func(h heard) error) {
	a.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(a.streams)) {
		select {
		case h := <-a.streams[name]:
			if err := right(h); err != nil {
				a.t.Fatalf("%s: instead of %s came %q with %.300q: %v", name, what, h.Type, h.Data, err)
			}
		case <-a.ctx.Done():
			a.t.Fatalf("%s: %s did not come within %v of the test's start", name, what, hearing)
		}
	}
}

// attend publishes to the client: each sample after all streams had the one before,
// so that whoever holds back a byte is found out; then all of them at once; then
// the process is stopped. Every stream must have it all, in order, and then the
// goodbye and its end.
func (a *audience) attend(p *process) {
	a.t.Helper()
	a.all("hello", typed("tidings.hello", ""))
	a.all("live", typed("tidings.live", ""))
	texts := samples()
	for i, text := range texts {
		a.publish(p, sample(i, text))
		a.all(fmt.Sprintf("sample %d of %d bytes", i, len(text)), a.is(i, text))
	}
	var batch []string
	for i, text := range texts {
		batch = append(batch, sample(len(texts)+i, text))
	}
	a.publish(p, "["+strings.Join(batch, ",")+"]")
	for i, text := range texts {
		a.all(fmt.Sprintf("sample %d of %d bytes, of many", i, len(text)), a.is(len(texts)+i, text))
	}
	p.terminate()
	a.all("the goodbye", typed("tidings.bye", `"code":"draining"`))
	a.all("a clean end", func(h heard) error {
		if h.Type != ended || h.Data != "" {
			return fmt.Errorf("the stream ended badly or not at all: %s", h.Data)
		}
		return nil
	})
	p.gone()
}

func (a *audience) publish(p *process, body string) {
	a.t.Helper()
	if err := p.publish(a.ctx, body); err != nil {
		a.t.Fatal(err)
	}
}

// typed is right for an event of a type with something in its data.
func typed(kind, part string) func(heard) error {
	return func(h heard) error {
		if h.Type != kind || !strings.Contains(h.Data, part) {
			return fmt.Errorf("want %s with %s", kind, part)
		}
		return nil
	}
}

// is is right for a sample that arrived whole, later in the log than the one before.
func (a *audience) is(n int, text string) func(heard) error {
	return func(h heard) error {
		var got struct {
			Topic, Type string
			Data        struct {
				N    int
				Text string
			}
		}
		if err := json.Unmarshal([]byte(h.Data), &got); err != nil {
			return err
		}
		_, id, _ := strings.Cut(h.ID, "-")
		seq, err := strconv.ParseUint(id, 10, 64)
		switch {
		case err != nil:
			return fmt.Errorf("its id: %w", err)
		case seq <= a.last[h.Stream]:
			return fmt.Errorf("its id is %d, after %d", seq, a.last[h.Stream])
		case h.Type != "sample" || got.Type != "sample" || got.Topic != sampled:
			return fmt.Errorf("it is a %s on %s", got.Type, got.Topic)
		case got.Data.N != n:
			return fmt.Errorf("it is number %d, want %d", got.Data.N, n)
		case got.Data.Text != text:
			return fmt.Errorf("its text of %d bytes differs from the %d that were published", len(got.Data.Text), len(text))
		}
		a.last[h.Stream] = seq
		return nil
	}
}

// sample is event number n with a text.
func sample(n int, text string) string {
	return fmt.Sprintf(`{"topic":%q,"type":"sample","data":{"n":%d,"text":%s}}`, sampled, n, quote(text))
}

// samples are texts on both sides of the size from which the edge compresses, 512
// bytes with the rest of the event, up to what takes several reads of a socket.
func samples() []string {
	// Its letters are one, two, three and four bytes; some are not, to a careless
	// reader, or end a line.
	const letters = "Grüße aus Zürich: 東京は雨 🚀🏳️‍🌈 e\u0301 \u2028 \\ \"data: x\"\r\n\nid: 7\n\tℵ₀ "
	random := rand.New(rand.NewPCG(1, 2))
	var plain, signs strings.Builder // that hardly compress
	for plain.Len() < 100<<10 {
		plain.WriteByte(byte('!' + random.IntN('~'-'!'+1)))
	}
	for signs.Len() < 100<<10 {
		signs.WriteRune('一' + random.Int32N('龥'-'一'))
	}
	cut := func(bytes int) string { // whole letters of random signs
		return strings.ToValidUTF8(signs.String()[:bytes], "")
	}
	return []string{
		strings.Repeat("x", 200), "", letters, cut(200), cut(290), cut(320), cut(350), cut(380),
		strings.Repeat("paid in full ", 300), strings.Repeat(letters, 60), strings.Repeat("y", 200),
		strings.Repeat("paid in full ", 8000), strings.Repeat(letters, 1000), plain.String(), signs.String(), letters,
	}
}
