package edge_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/shared/auth"
	"tidings/shared/testkit"
)

// live is a stream that can be changed, in any form.
type live struct {
	conn string
	next func() (kind string, e envelope) // the next event
	via  *node                            // the edge that is asked for changes
}

// everyLive runs a test over streams of every form on either sink, whose changes are
// asked of their own edge and of the other one.
func everyLive(t *testing.T, a, b *node, test func(*testing.T, way, func(tok, query string) live)) {
	t.Helper()
	for _, form := range []string{"sse", "ws"} {
		for _, far := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s%v", form, far), func(t *testing.T) {
				t.Parallel()
				waysOf(t, a, b, func(t *testing.T, w way) {
					w.name += form + strconv.FormatBool(far)
					test(t, w, func(tok, query string) live {
						l := live{via: w.node}
						if far {
							l.via = w.other
						}
						if form == "ws" {
							l.ofSocket(w.dialAs(tok, query))
						} else {
							l.ofStream(w, tok, query)
						}
						return l
					})
				})
			})
		}
	}
}

func (l *live) ofSocket(s *sock) {
	l.conn = s.hello.Conn
	l.next = func() (string, envelope) {
		for {
			if o := s.next(); o.Type != "" {
				return o.Type, o.envelope
			}
		}
	}
}

func (l *live) ofStream(w way, tok, query string) {
	encoding := "identity"
	if w.deflate {
		encoding = "gzip"
	}
	c := w.openAs(tok, query, "Accept-Encoding", encoding)
	c.gunzip()
	var h hello
	decode(w.t, c.until("tidings.hello").data, &h)
	l.conn = h.Conn
	l.next = func() (string, envelope) {
		for {
			b := c.next()
			if strings.HasPrefix(b.kind, "tidings.") {
				return b.kind, envelope{}
			}
			if b.kind != "" {
				return b.kind, b.event(w.t)
			}
		}
	}
}

// until reads up to the first event of a kind.
func (l *live) until(kind string) envelope {
	for {
		if k, e := l.next(); k == kind {
			return e
		}
	}
}

// numbers reads count ordinary events and returns "topic:n" for each.
func (l *live) numbers(count int) []string {
	var list []string
	for len(list) < count {
		if kind, e := l.next(); !strings.HasPrefix(kind, "tidings.") {
			list = append(list, e.Topic+":"+string(e.Data))
		}
	}
	return list
}

// change asks for other topics.
func (l *live) change(tok, body string) (int, map[string]any) {
	return l.via.call("POST", "/v1/connections/"+l.conn+"/topics", tok, body)
}

func TestChangeTopics(t *testing.T) {
	t.Parallel()
	a, b := pair(t, func(c *edge.Config) { c.Topics = 4 })
	tok := token(t, time.Hour)
	everyLive(t, a, b, func(t *testing.T, w way, open func(tok, query string) live) {
		one, two, three := w.room("1"), w.room("2"), w.room("3")
		l := open(tok, "topics="+string(one))
		l.until("tidings.live")
		w.put(two, 0, 1) // before, so never
		w.dial("topics=" + string(two) + "&rewind=1").numbers(1)
		w.other.as(t).put(one, 0, 1)
		l.numbers(1)
		status, state := l.change(tok, fmt.Sprintf(`{"add":[%q,"user",%q,%[1]q]}`, two, one))
		if status != http.StatusOK || fmt.Sprint(state["topics"]) != fmt.Sprintf("[%s %s user.ann]", one, two) || state["conn"] != l.conn || state["cursor"] == "" || state["expires"] == nil {
			t.Fatalf("add: %d %v", status, state)
		}
		w.put(two, 1, 3)
		w.put(one, 3, 4)
		if got, want := l.numbers(3), []string{string(two) + ":1", string(two) + ":2", string(one) + ":3"}; !slices.Equal(got, want) {
			t.Errorf("after adding: %v, want %v", got, want)
		}
		status, state = l.change(tok, fmt.Sprintf(`{"add":[%q],"remove":[%q,"user","room.never"]}`, three, two))
		if status != http.StatusOK || fmt.Sprint(state["topics"]) != fmt.Sprintf("[%s %s]", one, three) {
			t.Fatalf("add and remove: %d %v", status, state)
		}
		w.put(two, 5, 6)
		w.put(three, 6, 7)
		if got := l.numbers(1); got[0] != string(three)+":6" {
			t.Errorf("after removing: %v", got)
		}
		l.refusals(t, tok)
	})
}

// refusals asks for what must not be.
func (l *live) refusals(t *testing.T, tok string) {
	t.Helper()
	bob := tokenOf(t, auth.Claims{User: "bob", Sub: []string{"room.>"}, TTL: time.Hour})
	root := tokenOf(t, auth.Claims{User: "root", Admin: true, TTL: time.Hour})
	few := tokenOf(t, auth.Claims{User: "ann", TTL: time.Hour})
	foreign := l.conn[:8] + strings.Repeat("A", 20)
	for _, c := range []struct {
		name, conn, token, body string
		status                  int
		code                    string
	}{
		{"no token", l.conn, "", `{"add":["user"]}`, 401, "token_missing"},
		{"nothing", l.conn, tok, `{}`, 400, "no_topics"},
		{"empty body", l.conn, tok, ``, 400, "empty_body"},
		{"unknown field", l.conn, tok, `{"ad":["user"]}`, 400, "unknown_field"},
		{"bad topic", l.conn, tok, `{"add":["lobby"]}`, 400, "bad_topic"},
		{"denied", l.conn, few, `{"add":["room.x"]}`, 403, "topic_denied"},
		{"too many", l.conn, tok, `{"add":["user","all","room.x","room.y","room.z"]}`, 400, "too_many_topics"},
		{"too many together", l.conn, tok, `{"add":["user","all","room.x"]}`, 400, "too_many_topics"},
		{"another user", l.conn, bob, `{"remove":["user"]}`, 404, "connection_unknown"},
		{"an admin", l.conn, root, `{"remove":["user"]}`, 404, "connection_unknown"},
		{"unknown connection", foreign, tok, `{"add":["user"]}`, 404, "connection_unknown"},
		{"unknown edge", strings.Repeat("B", 28), tok, `{"add":["user"]}`, 404, "connection_unknown"},
		{"malformed", "nonsense", tok, `{"add":["user"]}`, 404, "connection_unknown"},
		{"a subject", "*.%3E.......................", tok, `{"add":["user"]}`, 404, "connection_unknown"},
	} {
		if status, p := l.via.call("POST", "/v1/connections/"+c.conn+"/topics", c.token, c.body); status != c.status || p["code"] != c.code {
			t.Errorf("%s: got %d %v, want %d %s", c.name, status, p, c.status, c.code)
		}
	}
}

// TestChangeAtOnce asks for a change the moment the stream has told its name.
func TestChangeAtOnce(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	tok := token(t, time.Hour)
	everyLive(t, a, b, func(t *testing.T, w way, open func(tok, query string) live) {
		for i := range 15 {
			l := open(tok, "topics=user")
			r := w.room(strconv.Itoa(i))
			if status, p := l.change(tok, fmt.Sprintf(`{"add":[%q]}`, r)); status != http.StatusOK {
				t.Fatalf("change %d: %d %v", i, status, p)
			}
			w.put(r, 0, 1)
			if got := l.numbers(1); got[0] != string(r)+":0" {
				t.Errorf("got %v", got)
			}
		}
	})
}

// TestChangesLoseNothing changes topics at random while a publisher runs: what was
// published while a topic was surely followed arrives, once and in order.
func TestChangesLoseNothing(t *testing.T) {
	t.Parallel()
	small := func(c *edge.Config) { c.TailBytes = 32 << 10 }
	a, b := pair(t, small)
	tok := token(t, time.Hour)
	everyLive(t, a, b, func(t *testing.T, w way, open func(tok, query string) live) {
		const topics, changes = 4, 30
		l := open(tok, "topics="+string(w.room("end"))+","+string(w.room("0")))
		p := newLedger(w, topics)
		var wg sync.WaitGroup
		stop := make(chan struct{})
		wg.Go(func() { p.publish(stop) })
		wg.Go(func() {
			defer close(stop)
			on := [topics]bool{true}
			p.surely(0, true)
			r := rand.New(rand.NewPCG(1, uint64(len(w.name))))
			for range changes {
				k := r.IntN(topics)
				verb := "add"
				if on[k] {
					verb = "remove"
					p.surely(k, false)
					p.settle()
				}
				if status, answer := l.change(tok, fmt.Sprintf(`{%q:[%q]}`, verb, w.room(strconv.Itoa(k)))); status != http.StatusOK {
					t.Errorf("%s: %d %v", verb, status, answer)
					return
				}
				if on[k] = !on[k]; on[k] {
					p.surely(k, true)
				}
				p.await(8)
			}
		})
		defer wg.Wait()
		defer p.close()          // if it ends early
		seen := map[string]int{} // topic → the last number, plus one
		var got []string
		for {
			kind, e := l.next()
			if strings.HasPrefix(kind, "tidings.") && kind != "tidings.gap" {
				continue
			}
			if e.Topic == string(w.room("end")) {
				break
			}
			n, err := strconv.Atoi(string(e.Data))
			if err != nil || n < seen[e.Topic] {
				t.Fatalf("%s of %+v after number %d", kind, e, seen[e.Topic]-1)
			}
			seen[e.Topic] = n + 1
			got = append(got, e.Topic+":"+string(e.Data))
			p.arrived(got[len(got)-1])
		}
		p.compare(t, got)
	})
}

// ledger publishes numbered events to several topics in turn and knows which of them
// must arrive.
type ledger struct {
	w way

	mu    sync.Mutex
	moved *sync.Cond
	sure  []bool
	sent  int
	owed  []string
	index map[string]int // in owed, plus one
	came  int            // how many of owed have arrived
	over  bool
}

func newLedger(w way, topics int) *ledger {
	p := &ledger{w: w, sure: make([]bool, topics), index: map[string]int{}}
	p.moved = sync.NewCond(&p.mu)
	return p
}

// publish goes on until stop is closed, and then says so on a topic of its own. It
// keeps the lock while an event is on its way: what is owed does not change then.
func (p *ledger) publish(stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			p.w.put(p.w.room("end"), 0, 1)
			return
		default:
		}
		p.mu.Lock()
		k := i % len(p.sure)
		topic := p.w.room(strconv.Itoa(k))
		p.w.put(topic, i, i+1)
		if p.sure[k] {
			p.owed = append(p.owed, string(topic)+":"+strconv.Itoa(i))
			p.index[p.owed[len(p.owed)-1]] = len(p.owed)
		}
		p.sent++
		p.moved.Broadcast()
		p.mu.Unlock()
	}
}

// surely notes that a topic is followed from now on, or perhaps not any more.
func (p *ledger) surely(k int, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sure[k] = on
}

// await waits until so many more events were published.
func (p *ledger) await(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for until := p.sent + n; p.sent < until && !p.over; {
		p.moved.Wait()
	}
}

// settle waits until all that is owed has arrived: what the log has, the edge need not
// have when a topic is removed.
func (p *ledger) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for until := len(p.owed); p.came < until && !p.over; {
		p.moved.Wait()
	}
}

// arrived notes that an event came.
func (p *ledger) arrived(number string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.index[number]; i > 0 {
		p.came = i
		p.moved.Broadcast()
	}
}

// close lets nobody wait any more.
func (p *ledger) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.moved.Broadcast()
}

// compare checks that everything that is owed arrived, in order.
func (p *ledger) compare(t *testing.T, got []string) {
	t.Helper()
	at := 0
	for _, want := range p.owed {
		i := slices.Index(got[at:], want)
		if i < 0 {
			t.Errorf("%s did not arrive, or not in order, among %d events of which %d were owed", want, len(got), len(p.owed))
			return
		}
		at += i + 1
	}
	if len(p.owed) == 0 {
		t.Error("nothing was owed")
	}
}

// TestChangeOfEnded: an ended stream is unknown, and so is one whose edge is gone.
func TestChangeOfEnded(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	tok := token(t, time.Hour)
	var names []string
	for _, n := range []*node{a, b} {
		s := way{node: n}.dial("topics=user")
		names = append(names, s.hello.Conn)
		s.Close()
		testkit.Eventually(t, "the connection to end", func() bool { return n.count() == 0 })
	}
	stays := way{node: a}.dial("topics=user")
	names = append(names, stays.hello.Conn)
	a.stop()
	for _, name := range names {
		for path, body := range map[string]string{"topics": `{"add":["all"]}`, "token": ""} {
			if status, p := b.call("POST", "/v1/connections/"+name+"/"+path, tok, body); status != http.StatusNotFound || p["code"] != "connection_unknown" {
				t.Errorf("%s of %s: %d %v", path, name, status, p)
			}
		}
	}
}
