package tail_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tidings/services/edge/tail"
	"tidings/shared/subject"
)

// standings returns what a tail knows of a prefix, by name.
func standings(t *tail.Tail, prefix string) []tail.Standing {
	var list []tail.Standing
	t.Standings(prefix, func(s tail.Standing) { list = append(list, s) })
	slices.SortFunc(list, func(a, b tail.Standing) int { return strings.Compare(string(a.Pattern), string(b.Pattern)) })
	return list
}

func TestStandings(t *testing.T) {
	t.Parallel()
	tl := tail.New(plenty)
	tl.Reset(at(10))
	v := tl.Join(deaf{}, []subject.Pattern{"room.a", "room.*"})
	seat := tl.Sit(deaf{}, "room.a")
	seat.StandFor(5)
	tl.Append(frame("room.a", 11))
	tl.Append(frame("room.b", 12))
	late := tl.Sit(deaf{}, "room.>") // it finds two frames, and has seen none come
	want := []tail.Standing{{"room.*", 1, 2, 2, 12}, {"room.>", 1, 2, 0, 12}, {"room.a", 6, 1, 1, 11}, {"room.b", 0, 1, 1, 12}}
	if got := standings(tl, "room."); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := standings(tl, "room.b"); len(got) != 1 {
		t.Errorf("of a prefix: %v", got)
	}
	seat.StandFor(2)
	late.Leave()
	v.Leave()
	tl.Reset(at(0))
	want = []tail.Standing{{"room.a", 2, 0, 1, 0}}
	if got := standings(tl, ""); !slices.Equal(got, want) {
		t.Errorf("after a reset: got %v, want %v", got, want)
	}
	seat.Leave()
	if got := standings(tl, ""); len(got) != 0 {
		t.Errorf("nobody is left: %v", got)
	}
}

// TestStandingsWhileItGoesOn: topics come and go while somebody looks.
func TestStandingsWhileItGoesOn(t *testing.T) {
	t.Parallel()
	tl := tail.New(1 << 20)
	tl.Reset(at(0))
	stays := tl.Sit(deaf{}, "room.stays")
	defer stays.Leave()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for seq := uint64(1); ; seq++ {
			select {
			case <-done:
				return
			default:
				tl.Append(frame(subject.Room(strconv.FormatUint(seq, 10)), seq))
			}
		}
	})
	for range 200 {
		n := 0
		tl.Standings("", func(s tail.Standing) {
			if s.Pattern == "room.stays" {
				n++
			}
		})
		if n != 1 {
			t.Fatalf("what stays is shown %d times", n)
		}
	}
	close(done)
	wg.Wait()
}
