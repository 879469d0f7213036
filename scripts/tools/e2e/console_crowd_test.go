package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// reader is a stream that somebody reads, as operators see it from outside.
type reader struct {
	conn  string      // its name, as the hello tells it
	bye   chan string // the data of its bye; closed when the stream is over
	leave func()      // ends it
}

// mint makes a token the way the console does.
func (p *process) mint(body string) string {
	p.t.Helper()
	var answer struct{ Token string }
	p.ask(http.MethodPost, "/console/api/token", body, &answer)
	if answer.Token == "" {
		p.t.Fatal("the console made no token")
	}
	return answer.Token
}

// ask calls the console's API with the token of the printed link.
func (p *process) ask(method, path, body string, into any) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token())
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		p.t.Fatalf("%s %s: %s %s (%v)", method, path, resp.Status, answer, err)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
}

// listen opens a stream as a user, of topics the user may read, and returns once the
// server has said hello. It ends with the test.
func (p *process) listen(user, topics string) *reader {
	p.t.Helper()
	token := p.mint(fmt.Sprintf(`{"user":%q,"sub":["room.>"],"ttl_s":3600}`, user))
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v1/events?topics="+topics, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	r := &reader{bye: make(chan string, 1), leave: cancel}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	if resp.StatusCode != http.StatusOK || !r.hello(lines) {
		p.t.Fatalf("a stream for %s: %s", user, resp.Status)
	}
	go func() {
		defer close(r.bye)
		r.read(lines)
		resp.Body.Close()
	}()
	p.t.Cleanup(func() {
		cancel()
		for range r.bye { // until it is over
		}
	})
	return r
}

// hello reads up to the hello.
func (r *reader) hello(lines *bufio.Scanner) bool {
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var hello struct{ Conn string }
		if err := json.Unmarshal(data, &hello); err != nil {
			return false
		}
		r.conn = hello.Conn
		return r.conn != ""
	}
	return false
}

// read reads to the end, and keeps the bye.
func (r *reader) read(lines *bufio.Scanner) {
	bye := false
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			bye = name == "tidings.bye"
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok && bye {
			r.bye <- data
			return
		}
	}
}

// crowd opens streams of some people, so that there is somebody to look at.
func (p *process) crowd() map[string]*reader {
	p.t.Helper()
	people := map[string]*reader{}
	for i, user := range []string{"ann", "bob", "carla@example.com", "dimitri", "eve", "fatima", "guo"} {
		topics := []string{"user,room.shop.orders", "user,room.support", "room.deploys,room.support,room.shop.orders", "room.%3E"}
		people[user] = p.listen(user, topics[i%len(topics)])
	}
	return people
}

// view opens a view of the console by its name and waits until the page is live.
func (p *page) view(tidings *process, name string) {
	p.t.Helper()
	p.visit(tidings.url + "/#/" + name + "?token=" + tidings.token())
	p.until("the pill to say Live", says("Live"))
}

// cells is the text of a table's body, row by row.
func (p *page) cells(selector string) [][]string {
	p.t.Helper()
	return eval[[][]string](p, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((r) => [...r.cells].map((c) => c.innerText.trim()))`, selector+" tbody tr:not(.more)"))
}

// rowOf waits for the row whose first cell begins with a word, and returns its cells.
func (p *page) rowOf(selector, first string) []string {
	p.t.Helper()
	var found []string
	if !poll(func() bool {
		for _, row := range p.cells(selector) {
			if strings.HasPrefix(row[0], first) {
				found = row
				return true
			}
		}
		return false
	}, nil) {
		p.t.Fatalf("%s has no row %q; the page shows:\n%s", selector, first, p.text())
	}
	return found
}

// last waits for the end of the stream and returns its bye.
func (r *reader) last(t *testing.T) string {
	t.Helper()
	var data string
	done := poll(func() bool {
		select {
		case data = <-r.bye:
			return true
		default:
			return false
		}
	}, nil)
	if !done {
		t.Fatal("the stream did not end")
	}
	return data
}
