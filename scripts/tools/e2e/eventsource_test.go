package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// topics are what most tests of a native EventSource follow.
var topics = []string{"room.a", "room.b", "room.c"}

const query = "?topics=room.a,room.b,room.c"

// source opens the door's page, with its EventSource on the query, and waits
// until that is live.
func source(t *testing.T, d *door, query string) *page {
	t.Helper()
	p := newPage(t)
	p.visit(d.URL + "/page.html" + query)
	p.until("a live stream", `told.includes("live")`)
	return p
}

// got is one event as the page got it.
type got struct {
	topic string
	n     int
	seq   uint64 // of its id
}

// UnmarshalJSON reads what the page's script noted: [topic, n, id].
func (g *got) UnmarshalJSON(b []byte) error {
	var id string
	if err := json.Unmarshal(b, &[]any{&g.topic, &g.n, &id}); err != nil {
		return err
	}
	_, seq, _ := strings.Cut(id, "-")
	var err error
	g.seq, err = strconv.ParseUint(seq, 10, 64)
	return err
}

// exactly fails unless the page got the numbers from 1 to last, each once, in the
// order of the log and on the topic it was published to, and nothing else.
func (p *page) exactly(last int, topics ...string) {
	p.t.Helper()
	p.until(fmt.Sprintf("event %d", last), fmt.Sprintf("got.some((e) => e[1] === %d)", last))
	var all []got
	if err := json.Unmarshal([]byte(eval[string](p, "JSON.stringify(got)")), &all); err != nil {
		p.t.Fatal(err)
	}
	seq := uint64(0)
	for i, g := range all {
		if n := i + 1; g.n != n || g.topic != topics[n%len(topics)] || g.seq <= seq {
			p.t.Fatalf("event %d is %+v, after one at %d; the page got %d", n, g, seq, len(all))
		}
		seq = g.seq
	}
	if len(all) != last {
		p.t.Errorf("the page got %d events, want %d", len(all), last)
	}
}

// told returns what the page noted beside the events.
func (p *page) told() []string {
	p.t.Helper()
	return eval[[]string](p, "told")
}

// TestEventSourceComesBack cuts the connection of a browser's own EventSource,
// publishes 5,000 events over three topics meanwhile, and lets it come back: it
// must end with every event, once and in order. Once the edge still has them in
// memory, and once it has to read them from the stream.
func TestEventSourceComesBack(t *testing.T) {
	t.Parallel()
	for name, tail := range map[string]string{"from memory": "64MiB", "from the stream": "1MiB"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const before, all = 30, 5030
			tidings := begin(t, "TIDINGS_EVENTS_PER_TOPIC=10000", "TIDINGS_TAIL_BYTES="+tail)
			d := newDoor(t, tidings, tidings.token())
			p := source(t, d, query)
			p.expectCuts()
			tidings.mustPublish(batch(1, before))
			p.exactly(before, topics...)

			d.gate.shut()
			p.until("the cut", `told.includes("error 0")`)
			for n := before + 1; n <= all; n += 1000 {
				tidings.mustPublish(batch(n, n+999))
			}
			d.gate.reopen()
			p.exactly(all, topics...)
			if told := p.told(); !slices.Contains(told, "hello resumed:true") || slices.Contains(told, "gap") {
				t.Errorf("the page was told %q, want a resumption without a gap", told)
			}
			if reads := tidings.metric("tidings_edge_range_reads_total"); (reads > 0) != (name == "from the stream") {
				t.Errorf("the edge read the stream %v times", reads)
			}
			// What comes now is live again.
			tidings.mustPublish(batch(all+1, all+1))
			p.exactly(all+1, topics...)
		})
	}
}

// batch is the numbers from first to last as one request. Each event is about
// 400 bytes: 5,000 of them are more than the smallest tail.
func batch(first, last int) string {
	var b strings.Builder
	for n := first; n <= last; n++ {
		fmt.Fprintf(&b, `,{"topic":%q,"type":"count","data":{"n":%d,"pad":%q}}`, topics[n%len(topics)], n, strings.Repeat("x", 250))
	}
	return "[" + b.String()[1:] + "]"
}

// TestEventSourceTicket opens a stream with a ticket, which works once: neither
// another stream nor the same one after a cut gets in with it again.
func TestEventSourceTicket(t *testing.T) {
	t.Parallel()
	tidings := begin(t)
	d := newDoor(t, tidings, "")
	ticket := "&ticket=" + tidings.ticket()
	p := source(t, d, query+ticket)
	tidings.mustPublish(counted(1, topics...), counted(2, topics...))
	p.exactly(2, topics...)

	p.expect(`status of 401`)
	eval[bool](p, "window.second = source("+quote(query+ticket)+"), true")
	p.until("the second stream's end", "second.readyState === EventSource.CLOSED")
	if state := eval[int](p, "es.readyState"); state != 1 {
		t.Errorf("the first stream is in state %d, want 1, open", state)
	}

	p.expectCuts()
	d.gate.shut()
	p.until("the cut", "es.readyState === EventSource.CONNECTING")
	d.gate.reopen()
	p.until("the first stream's end", "es.readyState === EventSource.CLOSED")
	if hellos := eval[int](p, `told.filter((l) => l.startsWith("hello")).length`); hellos != 1 {
		t.Errorf("%d streams began with one ticket; the page was told %q", hellos, p.told())
	}
}

// ticket asks for a ticket with the token of the console's link.
func (p *process) ticket() string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/v1/tickets", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Ticket string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Ticket == "" {
		p.t.Fatalf("POST /v1/tickets: %s (%v)", resp.Status, err)
	}
	return answer.Ticket
}

// TestEventSourceDrain stops the process politely while events are published: the
// page is told so, comes back to the next process and has missed nothing.
func TestEventSourceDrain(t *testing.T) {
	t.Parallel()
	const last = 120
	tidings := begin(t)
	d := newDoor(t, tidings, tidings.token())
	p := source(t, d, "?topics=room.a")
	p.expectCuts()
	reached := make(chan int, last)
	failed := make(chan error, 1)
	go func() { failed <- tidings.pour(t.Context(), 1, last, "room.a", func(n int) { reached <- n }) }()
	await(t, reached, 20)

	tidings.terminate()
	p.until("a goodbye", `told.includes("bye draining")`)
	tidings.gone()
	tidings.start()
	await(t, reached, last)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	p.exactly(last, "room.a")
	if told := p.told(); !slices.Contains(told, "hello resumed:true") || slices.Contains(told, "gap") {
		t.Errorf("the page was told %q, want a resumption without a gap", told)
	}
}

// await waits until a number was reached.
func await(t *testing.T, reached <-chan int, n int) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		select {
		case got := <-reached:
			if got >= n {
				return
			}
		case <-deadline.C:
			t.Fatalf("event %d was not published", n)
		}
	}
}

// TestEventSourceExpired lets a token run out. The stream ends with a goodbye, the
// browser comes back with the same cookie, and that is refused for good: a stream
// must not go on with fewer rights than it began with.
func TestEventSourceExpired(t *testing.T) {
	t.Parallel()
	const secret = "a secret that only this test and its process know"
	tidings := begin(t, "TIDINGS_JWT_SECRET="+secret)
	d := newDoor(t, tidings, expiring(secret))
	p := source(t, d, query)
	p.expect(`status of 401`)
	tidings.mustPublish(counted(1, topics...))
	p.exactly(1, topics...)

	p.until("the end", "es.readyState === EventSource.CLOSED")
	tidings.mustPublish(counted(2, topics...))
	want := []string{"hello resumed:false", "live", "expiring", "bye token_expired", "error 0", "error 2"}
	if told := p.told(); !slices.Equal(told, want) {
		t.Errorf("the page was told %q, want %q", told, want)
	}
	if !p.heard(`status of 401`) {
		t.Error("the browser saw no 401")
	}
	p.exactly(1, topics...)
}

// expiring makes an HS256 token with a few seconds left, by hand, as any other
// program would. Tokens are taken for 30 s after their end, since clocks differ.
func expiring(secret string) string {
	claims := fmt.Sprintf(`{"sub":"ann","exp":%d,"tidings":{"sub":["room.>"]}}`, time.Now().Add(-25*time.Second).Unix())
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}
