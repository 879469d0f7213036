package main_test

import (
	"strconv"
	"testing"
)

// TestMoreThanTheLogKeeps: the log keeps 1,000 events of a topic, and 5,000 come. An
// edge that was started afterwards, one that was up all the time and a reader that
// was connected all the time may know all of them or not; nobody passes over what
// was dropped in silence.
func TestMoreThanTheLogKeeps(t *testing.T) {
	t.Parallel()
	const all = 5000
	nats := startNATS(t)
	old := up(t, nats, "edge")
	connected := read(t, "room.a,room.b", old.url).untilLive()
	wide := read(t, "room.>", old.url).untilLive()
	nc := connect(t, nats.url())
	start := connected.cursor()
	flood(t, nc, all, func(i int) (string, []byte) {
		return "tidings.ev.room.a", strconv.AppendInt(nil, int64(i), 10)
	})
	fresh := up(t, nats, "edge")
	for name, r := range map[string]*reader{
		"connected": connected, "connected with a pattern": wide,
		"resumed":                         readFrom(t, start, "room.a", old.url),
		"resumed at a fresh edge":         readFrom(t, start, "room.a", fresh.url),
		"resumed there with a pattern":    readFrom(t, start, "room.*", fresh.url),
		"resumed there with a quiet room": readFrom(t, start, "room.b,room.a", fresh.url),
	} {
		r.wantNoSilence(name, all-1)
		r.mu.Lock()
		if len(r.got) > 0 && r.got[0] != 0 && len(r.gaps) == 0 {
			t.Errorf("%s: the first event is %d, and no gap was told", name, r.got[0])
		}
		t.Logf("%s: %d events, gaps %v", name, len(r.got), r.gaps)
		r.mu.Unlock()
	}
}
