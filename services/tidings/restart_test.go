package main_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidings/shared/testkit"
)

// TestNATSKilled kills the NATS server twice under load and starts it again on its
// store. Whoever was connected, and whoever comes back with an old cursor, gets
// every acknowledged event exactly once and in order.
func TestNATSKilled(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	a := up(t, nats, "edge")
	b := up(t, nats, "edge")
	producer := up(t, nats, "producer")
	events := newFeed(t, producer.url, "room.t.a", "room.t.b", "room.t.c")

	connected := read(t, "room.t.a,room.t.b,room.t.c", a.url).untilLive()
	wide := read(t, "room.t.*", b.url).untilLive()
	resuming := read(t, "room.t.>", a.url, b.url).untilLive()
	sub := launch(t, spec{args: []string{"sub", "--json", "--nats", nats.url(), "--since", resuming.cursor(), "room.t.>"}})
	events.publish(300)
	resuming.untilCount(300)
	resuming.stop()
	late := resuming.cursor()

	const all = 1500
	wait := events.start(all)
	for _, n := range []int{500, 1000} {
		events.untilAcked(n)
		began := time.Now()
		nats.restart(t)
		up := time.Since(began)
		events.untilAcked(int(events.acked.Load()) + 1)
		acked := time.Since(began)
		wide.untilCount(int(events.acked.Load()))
		t.Logf("after the kill: NATS serves again after %v, publishing works after %v, readers have all after %v", up, acked, time.Since(began))
	}
	wait()
	back := readFrom(t, late, "room.t.>", b.url)
	for name, r := range map[string]*reader{"connected": connected, "connected with a pattern": wide} {
		r.untilCount(all)
		r.wantAll(name, all)
		r.mu.Lock()
		if r.hellos != 1 {
			t.Errorf("%s: %d streams; NATS away is no reason to end one", name, r.hellos)
		}
		r.mu.Unlock()
	}
	sub.out.await(t, fmt.Sprintf(`"data":%d,.*\n`, all-1))
	lines := strings.Split(strings.TrimSuffix(sub.out.String(), "\n"), "\n")
	for i, line := range lines {
		if n := number(line); n != i || len(lines) != all {
			t.Fatalf("tidings sub: line %d of %d is event %d", i, len(lines), n)
		}
	}
	back.untilCount(all - 300)
	back.mu.Lock()
	for i, n := range back.got {
		if n != 300+i {
			t.Fatalf("resumed: event %d is number %d", i, n)
		}
	}
	if len(back.got) != all-300 || len(back.gaps) > 0 {
		t.Errorf("resumed: %d events, gaps %v", len(back.got), back.gaps)
	}
	back.mu.Unlock()
}

// TestNATSWiped: the store is gone. Nobody is left in silence: whoever is connected
// or comes back is told of the gap, and what is published afterwards arrives.
func TestNATSWiped(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	edge := up(t, nats, "edge")
	other := up(t, nats, "edge")
	producer := up(t, nats, "producer")
	events := newFeed(t, producer.url, "room.a")
	connected := read(t, "room.a,room.b", edge.url).untilLive()
	resuming := read(t, "room.a", other.url).untilLive()
	events.publish(100)
	connected.untilCount(100)
	resuming.untilCount(100)
	resuming.stop()
	old := position(t, resuming.cursor())

	nats.wipe(t)
	connected.until("a gap for each topic", func() bool { return len(connected.gaps) >= 2 })
	events.publish(150)
	connected.untilCount(150)
	back := readFrom(t, old.String(), "room.a", other.url)
	back.until("a gap", func() bool { return len(back.gaps) > 0 })
	events.publish(200)
	connected.untilCount(200)
	back.until("the latest event", func() bool { return len(back.got) > 0 && back.got[len(back.got)-1] == 199 })

	connected.mu.Lock()
	defer connected.mu.Unlock()
	for i, n := range connected.got {
		if n != i {
			t.Fatalf("connected: event %d is number %d", i, n)
		}
	}
	topics := map[string]int{}
	for _, g := range connected.gaps {
		topics[g.Topic]++
		if g.Reason != "epoch" || position(t, g.After).Epoch != old.Epoch || position(t, g.Before).Epoch == old.Epoch {
			t.Errorf("gap: %+v", g)
		}
	}
	if topics["room.a"] != 1 || topics["room.b"] != 1 || connected.hellos != 1 {
		t.Errorf("gaps %v on %d streams, want one a topic on one stream", topics, connected.hellos)
	}
	back.mu.Lock()
	defer back.mu.Unlock()
	for i, n := range back.got {
		if n != 200-len(back.got)+i {
			t.Fatalf("resumed: %v", back.got)
		}
	}
	if g := back.gaps[0]; g.After != old.String() || g.Reason != "epoch" {
		t.Errorf("gap: %+v", g)
	}
}

// TestNATSRestored: the store is an old copy, as after a restored backup. Its epoch is
// that of every cursor, yet what followed the copy is gone and its sequences will
// mean other events, under load before anyone has looked.
func TestNATSRestored(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]int{"quiet": 0, "under load": 700} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nats := startNATS(t)
			edge := up(t, nats, "edge")
			other := up(t, nats, "edge")
			producer := up(t, nats, "producer")
			events := newFeed(t, producer.url, "room.a")
			connected := read(t, "room.a", edge.url).untilLive()
			second := read(t, "room.a,room.b", other.url).untilLive()
			resuming := read(t, "room.a", edge.url).untilLive()
			events.publish(100)
			if code := nats.stop(); code != 0 {
				t.Fatalf("NATS stopped with %d", code)
			}
			backup := t.TempDir()
			if err := os.CopyFS(backup, os.DirFS(nats.dir)); err != nil {
				t.Fatal(err)
			}
			nats.start(t)
			events.publish(400)
			connected.untilCount(400)
			second.untilCount(400)
			resuming.untilCount(400)
			resuming.stop()

			wait := events.start(400 + load)
			events.untilAcked(400 + min(load, 100))
			nats.kill()
			nats.dir = backup
			nats.start(t)
			wait()
			connected.until("a gap", func() bool { return len(connected.gaps) > 0 })
			second.until("a gap", func() bool { return len(second.gaps) > 0 })
			back := readFrom(t, resuming.cursor(), "room.a", other.url)
			back.until("a gap", func() bool { return len(back.gaps) > 0 })
			events.publish(450 + load)
			connected.wantNoSilence("connected", 449+load)
			second.wantNoSilence("connected to the second", 449+load)
			back.wantNoSilence("resumed", 449+load)
		})
	}
}

// TestPauses: an edge, then NATS, stands still for a while, as a machine does that is
// migrated. Nothing was lost, so nothing may be missing; who waits is told.
func TestPauses(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	edge := up(t, nats, "edge")
	producer := up(t, nats, "producer")
	events := newFeed(t, producer.url, "room.a", "room.b")
	r := read(t, "room.a,room.b", edge.url).untilLive()
	events.publish(100)
	r.untilCount(100)

	edge.signal(syscall.SIGSTOP)
	events.publish(600)
	edge.signal(syscall.SIGCONT)
	r.untilCount(600)

	wait := events.start(900)
	nats.signal(syscall.SIGSTOP)
	r.until("tidings.away", func() bool { return r.aways > 0 })
	nats.signal(syscall.SIGCONT)
	wait()
	r.untilCount(900)
	r.wantAll("the reader", 900)
	r.until("tidings.live", func() bool { return r.lives >= 2 })
	if r.stop(); r.hellos != 1 {
		t.Errorf("%d streams, want one", r.hellos)
	}
}

// TestDevKilled: NATS inside of a process that is killed under load and started again
// on the same data, again and again.
func TestDevKilled(t *testing.T) {
	t.Parallel()
	data, addr := t.TempDir(), address(freePort(t))
	d := dev(t, data, "--http", addr)
	events := newFeed(t, d.url, "room.t.a", "room.t.b")
	events.tok = d.token
	reading := &reader{t: t, tok: d.token, topics: "room.t.*", urls: []string{d.url}}
	reading.start()
	reading.untilLive()
	const all = 900
	wait := events.start(all)
	for _, n := range []int{300, 600} {
		events.untilAcked(n)
		d.kill()
		d = dev(t, data, "--http", addr)
	}
	wait()
	reading.untilCount(all)
	reading.wantAll("the reader", all)
}

// TestTicketsAfterARestart: one-time tickets are kept in NATS's memory. Losing them
// with a restart must not switch tickets off.
func TestTicketsAfterARestart(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	edge := up(t, nats, "edge")
	ticket := func() int {
		code, _ := request(t, http.MethodPost, edge.url+"/v1/tickets", "", "Authorization", "Bearer "+token(t))
		return code
	}
	if code := ticket(); code != http.StatusCreated {
		t.Fatalf("ticket: %d", code)
	}
	nats.restart(t)
	testkit.Eventually(t, "a ticket after the restart", func() bool { return ticket() == http.StatusCreated })
}
