package tail_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"tidings/services/edge/tail"
	"tidings/shared/event"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stressed is the length of the log that the readers of TestStress follow.
const stressed = 20_000

// TestStress lets one follower append while readers join, read, wait to be woken
// and leave. What a reader should have seen can be computed, since each sequence
// has its topic: each must see all of it, in order. A lost wake shows as a test
// that does not end.
func TestStress(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	tl := tail.New(64 << 10)
	tl.Reset(at(0))
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			r := &stressReader{tail: tl, rand: rand.New(rand.NewPCG(seed, 2)), wake: make(chan struct{}, 1)}
			for pos := uint64(0); pos < stressed; {
				var err error
				if pos, err = r.visit(ctx); err != nil {
					t.Errorf("reader %d: %v", seed, err)
					return
				}
			}
		})
	}
	for seq := uint64(1); seq <= stressed; seq++ {
		switch topic := topicOf(seq); topic {
		case "":
			tl.Skip(seq)
		default:
			tl.Append(frame(topic, seq))
			tl.Offer(frame(topic, 0))
		}
	}
	wg.Wait()
	if x := tl.Extent(); x.Topics > x.Frames {
		t.Errorf("the index is left with %+v", x)
	}
}

// topicOf gives each sequence its topic, some none. The last is everyone's, so
// that whoever waits is woken in the end.
func topicOf(seq uint64) subject.Topic {
	switch {
	case seq == stressed:
		return subject.All
	case seq%11 == 0:
		return ""
	}
	return topics()[seq*2654435761>>7%uint64(len(topics()))]
}

// stressReader is one of the readers.
type stressReader struct {
	tail *tail.Tail
	rand *rand.Rand
	wake chan struct{}
}

// Wake implements tail.Reader as the edge's connections do.
func (r *stressReader) Wake(*tail.Frame) {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Offer implements tail.Reader.
func (r *stressReader) Offer(*tail.Frame) {}

// visit joins some patterns, reads for a while and leaves. It returns the
// position reached.
func (r *stressReader) visit(ctx context.Context) (uint64, error) {
	patterns := []subject.Pattern{"all"}
	for _, p := range []subject.Pattern{"room.a", "room.*", "room.>", "user.b", "*.a"} {
		if r.rand.IntN(2) == 0 {
			patterns = append(patterns, p)
		}
	}
	v := r.tail.Join(r, patterns)
	defer v.Leave()
	pos := r.tail.Extent().Start
	buf := make([]*tail.Frame, 1+r.rand.IntN(32))
	for turns := r.rand.IntN(400); turns > 0 || pos > stressed/2; turns-- {
		n, reached, err := v.Read(at(pos), buf)
		if errors.Is(err, tail.ErrBehind) {
			pos = r.tail.Extent().Start // the edge would read the stream
			continue
		}
		if err != nil {
			return pos, err
		}
		if err := complete(patterns, pos, reached.Seq, buf[:n]); err != nil {
			return pos, err
		}
		if pos = reached.Seq; pos == stressed {
			return pos, nil
		}
		if n > 0 {
			continue
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return pos, fmt.Errorf("still at %d of %v: %w", pos, patterns, ctx.Err())
		}
	}
	return pos, nil
}

// complete checks that frames are all that the patterns select between two positions.
func complete(patterns []subject.Pattern, after, upTo uint64, frames []*tail.Frame) error {
	for seq := after + 1; seq <= upTo; seq++ {
		topic, wanted := topicOf(seq), false
		for _, p := range patterns {
			wanted = wanted || topic != "" && p.Match(topic)
		}
		switch {
		case !wanted:
			continue
		case len(frames) == 0 || frames[0].Seq != seq || frames[0].Topic != topic:
			return fmt.Errorf("%v: %d is missing between %d and %d, next is %v", patterns, seq, after, upTo, sequences(frames))
		}
		frames = frames[1:]
	}
	if len(frames) > 0 {
		return fmt.Errorf("%v: %v were not asked for after %d", patterns, sequences(frames), after)
	}
	return nil
}

// TestLeaveIsFinal: a reader that left is not called any more, even if it leaves
// in the midst of a delivery.
func TestLeaveIsFinal(t *testing.T) {
	t.Parallel()
	tl := tail.New(1 << 20)
	tl.Reset(event.Cursor{Epoch: "e1"})
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for seq := uint64(1); ; seq++ {
			select {
			case <-done:
				return
			default:
				tl.Append(frame("room.a", seq))
				tl.Offer(frame("room.a", 0))
			}
		}
	})
	for range 2000 {
		r := &recorder{} // the race detector sees a call after Leave
		v := tl.Join(r, []subject.Pattern{"room.a", "room.*"})
		v.Leave()
		r.wakes, r.offers = 0, nil
	}
	close(done)
	wg.Wait()
}
