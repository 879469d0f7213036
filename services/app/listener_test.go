package app_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings/shared/testkit"
)

// listener is one open stream of an edge.
type listener struct {
	t      *testing.T
	resp   *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

// listen opens a stream and returns it when it is live.
func (p *process) listen(topics string) *listener {
	p.t.Helper()
	return p.listenWith(http.DefaultClient, token(p.t), topics)
}

// listenAs does so with a token of one's own, listenBy with a client of one's own.
func (p *process) listenAs(token, topics string) *listener {
	p.t.Helper()
	return p.listenWith(http.DefaultClient, token, topics)
}

func (p *process) listenBy(c *http.Client, topics string) *listener {
	p.t.Helper()
	return p.listenWith(c, token(p.t), topics)
}

func (p *process) listenWith(c *http.Client, token, topics string) *listener {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+"/v1/events?topics="+topics, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	l := &listener{t: p.t, resp: resp, lines: bufio.NewScanner(resp.Body), cancel: cancel}
	p.t.Cleanup(l.close)
	l.until("tidings.live")
	return l
}

func (l *listener) close() {
	l.cancel()
	_ = l.resp.Body.Close()
}

// until returns the data of the next event of a type, within testkit.Patience.
func (l *listener) until(kind string) string {
	l.t.Helper()
	timer := time.AfterFunc(testkit.Patience, l.cancel)
	defer timer.Stop()
	found := false
	for l.lines.Scan() {
		line := l.lines.Text()
		if data, ok := strings.CutPrefix(line, "data: "); ok && found {
			return data
		}
		found = found && line != "" || line == "event: "+kind
	}
	l.t.Fatalf("the stream ended before %s: %v", kind, l.lines.Err())
	return ""
}
