package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/shared/auth"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// page is the answer to a poll.
type page struct {
	Events []object
	Cursor string
	bytes  int  // of the body
	gzip   bool // as it came
}

// poll makes a long-poll as ann and expects 200.
func (n *node) poll(query string) page {
	n.t.Helper()
	p, err := n.tryPoll(n.t.Context(), query)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

func (n *node) tryPoll(ctx context.Context, query string) (page, error) {
	n.t.Helper()
	var p page
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+"/v1/poll?"+query, http.NoBody)
	if err != nil {
		return p, err
	}
	req.Header.Set("Authorization", "Bearer "+token(n.t, time.Hour))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return p, err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
		return p, fmt.Errorf("%s: %d %v %s", query, resp.StatusCode, resp.Header, body)
	}
	p.bytes, p.gzip = len(body), resp.Uncompressed
	if err := json.Unmarshal(body, &p); err != nil {
		return p, fmt.Errorf("%s: %.200s: %w", query, body, err)
	}
	if p.Events == nil || p.Cursor == "" {
		return p, fmt.Errorf("%s: %s", query, body)
	}
	return p, nil
}

// numbers returns "topic:n" of the ordinary events of a page.
func (p page) numbers() []string {
	var list []string
	for _, e := range p.Events {
		if !strings.HasPrefix(e.Type, "tidings.") {
			list = append(list, e.Topic+":"+string(e.Data))
		}
	}
	return list
}

// polled waits until a node has so many connections.
func (n *node) polled(count int) {
	n.t.Helper()
	testkit.Eventually(n.t, "polls to be there", func() bool { return n.count() == count })
}

func TestPoll(t *testing.T) {
	t.Parallel()
	n := start(t)
	first := n.poll("topics=room.ops&wait=0")
	if len(first.Events) != 0 || first.gzip {
		t.Errorf("the first poll has %+v", first)
	}
	// It waits for the next event.
	got := make(chan page, 1)
	go func() { got <- n.poll("topics=room.ops&cursor=" + first.Cursor) }()
	n.polled(1)
	n.put(subject.Room("other"), 0, 1)
	n.put(ops(), 0, 1)
	p := <-got
	same(t, "the next event", p.numbers(), expected(ops(), 0, 1))
	if e := p.Events[0]; e.Cursor != p.Cursor && e.Cursor == "" || e.ID != e.Cursor || e.Type != "n" {
		t.Errorf("event %+v of %+v", e, p)
	}
	// It answers at once with what there is.
	n.put(ops(), 1, 5)
	testkit.Eventually(t, "the edge to have the events", func() bool { return len(n.poll("topics=room.ops&wait=0&cursor="+p.Cursor).Events) == 4 })
	p = n.poll("topics=room.ops,room.*&cursor=" + p.Cursor)
	same(t, "what there is", p.numbers(), expected(ops(), 1, 5))
	same(t, "a rewind", n.poll("topics=room.ops&rewind=2").numbers(), expected(ops(), 3, 5))
	if p = n.poll("topics=room.ops&wait=1&cursor=" + p.Cursor); len(p.Events) != 0 {
		t.Errorf("after a second of nothing: %+v", p)
	}
	epoch, _, _ := strings.Cut(p.Cursor, "-")
	for reason, cursor := range map[string]string{"epoch": "another-1", "ahead": epoch + "-1000000"} {
		p := n.poll("topics=room.ops&cursor=" + cursor)
		if len(p.Events) != 1 || p.Events[0].Type != "tidings.gap" || !strings.Contains(string(p.Events[0].Data), `"reason":"`+reason+`"`) {
			t.Errorf("%s: %+v", reason, p)
		}
		if more := n.poll("topics=room.ops&wait=0&cursor=" + p.Cursor); len(more.Events) != 0 {
			t.Errorf("%s: then %+v", reason, more)
		}
	}
	if got := n.count(); got != 0 {
		t.Errorf("%d connections after the polls", got)
	}
}

func TestPollRefusals(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *edge.Config) { c.PerUser = 1 })
	tok := token(t, time.Hour)
	for query, code := range map[string]string{
		"topics=user&wait=-1": "bad_wait", "topics=user&wait=91": "bad_wait", "topics=user&wait=x": "bad_wait", "topics=user&wait=1.5": "bad_wait",
		"wait=0": "no_topics", "topics=lobby": "bad_topic", "topics=user.bob": "topic_denied", "topics=user&x=1": "unknown_parameter", "topics=user&cursor=1": "bad_cursor",
	} {
		if status, p := n.call("GET", "/v1/poll?"+query, tok, ""); status/100 != 4 || p["code"] != code {
			t.Errorf("%s: %d %v", query, status, p)
		}
	}
	if status, p := n.call("GET", "/v1/poll?topics=user", "", ""); status != http.StatusUnauthorized || p["code"] != "token_missing" {
		t.Errorf("no token: %d %v", status, p)
	}
	// A cancelled poll gives its place back, which is refused to others meanwhile.
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := n.tryPoll(ctx, "topics=user&wait=60")
		gone <- err
	}()
	n.polled(1)
	if status, p := n.call("GET", "/v1/poll?topics=user&wait=0", tok, ""); status != http.StatusServiceUnavailable || p["code"] != "too_many_connections" {
		t.Errorf("one too many: %d %v", status, p)
	}
	cancel()
	if err := <-gone; err == nil {
		t.Error("a cancelled poll was answered")
	}
	n.polled(0)
	// A poll ends with its token.
	short := tokenOf(t, auth.Claims{User: "bob", TTL: 2 * time.Second})
	if status, p := n.call("GET", "/v1/poll?topics=user&wait=60", short, ""); status != http.StatusOK || len(p["events"].([]any)) != 0 {
		t.Errorf("with a short token: %d %v", status, p)
	}
}

// TestPollPages reads far more than one answer holds, from the tail and from behind it.
func TestPollPages(t *testing.T) {
	t.Parallel()
	const count, size = 1500, 1000
	for name, tail := range map[string]int64{"tail": 0, "stream": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := start(t, func(c *edge.Config) { c.TailBytes = tail })
			at := n.poll("topics=room.ops&wait=0").Cursor
			n.flood(ops(), 999, size)
			n.flood(subject.Room("more"), count-999, size)
			pages := 0
			var got []string
			for len(got) < count {
				p := n.poll("topics=room.ops,room.more&cursor=" + at)
				if p.bytes > 1<<20 || !p.gzip {
					t.Errorf("page %d has %d bytes, in gzip: %v", pages, p.bytes, p.gzip)
				}
				if last := p.Events[len(p.Events)-1]; last.Cursor == "" {
					t.Errorf("page %d ends with %s", pages, last.Data)
				}
				for _, e := range p.Events {
					number, _, _ := strings.Cut(strings.Trim(string(e.Data), `"`), " ")
					got = append(got, e.Topic+":"+number)
				}
				at = p.Cursor
				pages++
			}
			same(t, "pages", got, append(expected(ops(), 0, 999), expected(subject.Room("more"), 0, count-999)...))
			if pages < 3 {
				t.Errorf("%d bytes came in %d pages", count*size, pages)
			}
		})
	}
}

// TestPollsLoseNothing polls one after the other, on two edges in turn, while a
// publisher runs.
func TestPollsLoseNothing(t *testing.T) {
	t.Parallel()
	const count = 400
	a, b := pair(t)
	at := a.poll("topics=room.ops&wait=0").Cursor
	var wg sync.WaitGroup
	wg.Go(func() { a.put(ops(), 0, count) })
	defer wg.Wait()
	var got []string
	for i := 0; len(got) < count; i++ {
		p := []*node{a, b}[i%2].poll("topics=room.ops&wait=" + strconv.Itoa(i%3) + "&cursor=" + at)
		got, at = append(got, p.numbers()...), p.Cursor
	}
	same(t, "polls", got, expected(ops(), 0, count))
}

// TestPollDrain: a node that stops answers its polls early, and the next ones not.
func TestPollDrain(t *testing.T) {
	t.Parallel()
	n := start(t)
	const polls = 5
	got := make(chan page, polls)
	for range polls {
		go func() { got <- n.poll("topics=user&wait=60") }()
	}
	n.polled(polls)
	n.stop()
	for range polls {
		if p := <-got; len(p.Events) != 0 {
			t.Errorf("got %+v", p)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.url+"/v1/poll?topics=user", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token(t, time.Hour))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 {
		t.Errorf("a late poll: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}

// TestPollEphemeral: who waits gets ephemeral events, too.
func TestPollEphemeral(t *testing.T) {
	t.Parallel()
	n := start(t)
	got := make(chan page, 1)
	go func() { got <- n.poll("topics=room.ops&wait=60") }()
	n.polled(1)
	tok := token(t, time.Hour)
	testkit.Eventually(t, "an answer", func() bool { // the poll is admitted a moment before it listens
		n.call("POST", "/v1/publish", tok, `{"topic":"room.ops","type":"cursor","ephemeral":true,"data":1}`)
		select {
		case p := <-got:
			if len(p.Events) < 1 || p.Events[0].Type != "cursor" || p.Events[0].Cursor != "" {
				t.Errorf("got %+v", p)
			}
			return true
		default:
			return false
		}
	})
}
