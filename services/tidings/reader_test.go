package main_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/shared/testkit"
)

// block is one Server-Sent Events block.
type block struct {
	id, kind, data string
}

// stream is one open response of GET /v1/events.
type stream struct {
	resp   *http.Response
	lines  *bufio.Reader
	cancel context.CancelFunc
}

// open opens a stream. cursor may be "".
func open(ctx context.Context, base, tok, topics, cursor string) (*stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/events?topics="+url.QueryEscape(topics), http.NoBody)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	if cursor != "" {
		req.Header.Set("Last-Event-ID", cursor)
	}
	// No timeout: a stream lasts. Who waits for a block has one.
	tr := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		cancel()
		return nil, err
	}
	return &stream{resp: resp, lines: bufio.NewReaderSize(resp.Body, 64<<10), cancel: cancel}, nil
}

func (s *stream) close() {
	s.cancel()
	_ = s.resp.Body.Close()
}

// next reads one block. It ends with an error when the stream does.
func (s *stream) next() (block, error) {
	var b block
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return b, err
		}
		line = line[:len(line)-1]
		if line == "" {
			return b, nil
		}
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "id":
			b.id = value
		case "event":
			b.kind = value
		case "data":
			b.data = value
		}
	}
}

// reader is a browser: it keeps a stream open, comes back with its last id, each
// time to the next of its nodes, and writes down all it gets.
type reader struct {
	t      testing.TB
	tok    string
	topics string
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	urls   []string
	at     string // the last id
	got    []int  // the numbers of ordinary events
	times  []time.Time
	gaps   []gap
	gapAt  []int // for each gap, how many events had come before it
	byes   []bye
	hellos int
	lives  int
	aways  int
	live   bool
	now    *stream
}

// read starts a reader that comes to the nodes in turn.
func read(t testing.TB, topics string, urls ...string) *reader {
	t.Helper()
	return readFrom(t, "", topics, urls...)
}

// readFrom is read with a cursor to begin at.
func readFrom(t testing.TB, cursor, topics string, urls ...string) *reader {
	t.Helper()
	r := &reader{t: t, tok: token(t), topics: topics, urls: urls, at: cursor}
	r.start()
	return r
}

// start begins to read. The reader stops when the test ends.
func (r *reader) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan struct{})
	go r.run(ctx)
	r.t.Cleanup(r.stop)
}

// stop ends the reader and waits for it.
func (r *reader) stop() {
	r.cancel()
	<-r.done
}

func (r *reader) run(ctx context.Context) {
	defer close(r.done)
	for n := 0; ctx.Err() == nil; n++ {
		r.mu.Lock()
		base, at := r.urls[n%len(r.urls)], r.at
		r.mu.Unlock()
		s, err := open(ctx, base, r.tok, r.topics, at)
		if err == nil {
			r.mu.Lock()
			r.now, r.live = s, false
			r.mu.Unlock()
			r.drain(s)
			s.close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond): // a real browser waits for what retry says
		}
	}
}

// drain writes down a stream until its end.
func (r *reader) drain(s *stream) {
	for {
		b, err := s.next()
		r.mu.Lock()
		if err != nil {
			r.live = false
			r.mu.Unlock()
			return
		}
		r.note(b)
		r.mu.Unlock()
	}
}

// note writes down one block.
func (r *reader) note(b block) {
	if b.id != "" {
		r.at = b.id
	}
	switch b.kind {
	case "":
	case "tidings.hello":
		r.hellos++
	case "tidings.live":
		r.live = true
		r.lives++
	case "tidings.gap":
		var g gap
		decode(r.t, b.data, &g)
		r.gaps, r.gapAt = append(r.gaps, g), append(r.gapAt, len(r.got))
	case "tidings.bye":
		var g bye
		decode(r.t, b.data, &g)
		r.byes = append(r.byes, g)
	case "tidings.away":
		r.aways++
	case "tidings.expiring":
	default:
		r.got, r.times = append(r.got, number(b.data)), append(r.times, time.Now())
	}
}

// number finds the data of an event that is a number, or begins with {"n":number;
// -1 stands for anything else. Parsing all of the JSON would take longer than
// sending it.
func number(envelope string) int {
	_, data, _ := strings.Cut(envelope, `"data":`)
	data = strings.TrimPrefix(data, `{"n":`)
	n, err := strconv.Atoi(data[:max(0, strings.IndexAny(data, ",}"))])
	if err != nil {
		return -1
	}
	return n
}

// until waits until ok, called with the reader locked, returns true.
func (r *reader) until(what string, ok func() bool) {
	r.t.Helper()
	defer func() {
		if r.t.Failed() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.t.Logf("the reader of %s has %d events, %d streams, gaps %v, byes %v and stands at %s", r.topics, len(r.got), r.hellos, r.gaps, r.byes, r.at)
		}
	}()
	testkit.Eventually(r.t, what, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return ok()
	})
}

// untilLive waits until the stream is live.
func (r *reader) untilLive() *reader {
	r.t.Helper()
	r.until("tidings.live", func() bool { return r.live })
	return r
}

// untilCount waits for so many events.
func (r *reader) untilCount(n int) {
	r.t.Helper()
	r.until(strconv.Itoa(n)+" events", func() bool { return len(r.got) >= n })
}

// cut breaks the present connection; the reader comes back by itself.
func (r *reader) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now != nil {
		r.now.cancel()
	}
}

// cursor returns where the reader stands.
func (r *reader) cursor() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

// wantAll checks that exactly 0 … n-1 came, in this order, and no gap.
func (r *reader) wantAll(name string, n int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.gaps) > 0 {
		r.t.Errorf("%s: gaps %+v", name, r.gaps)
	}
	if len(r.got) != n {
		r.t.Errorf("%s: got %d events, want %d", name, len(r.got), n)
	}
	for i, got := range r.got {
		if got != i {
			r.t.Fatalf("%s: event %d is number %d: lost, doubled or out of order", name, i, got)
		}
	}
}

// wantNoSilence checks that the numbers count up, none twice, without a hole except
// where a gap was told, and end with last.
func (r *reader) wantNoSilence(name string, last int) {
	r.t.Helper()
	r.until(fmt.Sprintf("%s: event %d", name, last), func() bool { return len(r.got) > 0 && r.got[len(r.got)-1] >= last })
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 1; i < len(r.got); i++ {
		switch before, n := r.got[i-1], r.got[i]; {
		case n <= before:
			r.t.Errorf("%s: after %d came %d: doubled or out of order", name, before, n)
		case n > before+1 && !slices.Contains(r.gapAt, i):
			r.t.Errorf("%s: after %d came %d, and no gap was told", name, before, n)
		}
	}
	if got := r.got[len(r.got)-1]; got != last {
		r.t.Errorf("%s: the last event is %d, want %d", name, got, last)
	}
}
