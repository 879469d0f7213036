package e2e_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestCompressedChromium reads streams with Chromium's EventSource, and asks Chromium
// what came over the network.
func TestCompressedChromium(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	p := newPage(t)
	l := &loads{byID: map[network.RequestID]*load{}}
	if err := chromedp.Listen(p.ctx, l.hear); err != nil {
		t.Fatal(err)
	}
	p.visit(s.URL + "/page.html")
	s.attend(s.tidings)
	s.wire.judge(2)
	for name, from := range map[string]string{direct: s.wire.url, proxied: s.URL} {
		want := load{encoding: "gzip", end: finished}
		if !poll(func() bool { return l.of(from) == want }, s.ctx.Done()) {
			t.Errorf("%s: Chromium saw %+v, want %+v", name, l.of(from), want)
		}
	}
}

// finished is the end of a load that went well.
const finished = "finished"

// loads are the streams that a page opened, as its browser sees them.
type loads struct {
	mu   sync.Mutex
	byID map[network.RequestID]*load
}

// load is one stream: the encoding of its content and, in the end, how it ended.
type load struct{ url, encoding, end string }

// hear runs in chromedp's goroutine.
func (l *loads) hear(ev any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventResponseReceived:
		if ev.Type != network.ResourceTypeEventSource {
			return
		}
		stream := &load{url: ev.Response.URL}
		for name, value := range ev.Response.Headers {
			if strings.EqualFold(name, "Content-Encoding") {
				stream.encoding, _ = value.(string)
			}
		}
		l.byID[ev.RequestID] = stream
	case *network.EventLoadingFinished:
		l.end(ev.RequestID, finished)
	case *network.EventLoadingFailed:
		l.end(ev.RequestID, ev.ErrorText)
	}
}

func (l *loads) end(id network.RequestID, how string) {
	if stream := l.byID[id]; stream != nil {
		stream.end = how
	}
}

// of returns the one stream from a server, without its URL; nothing if there are
// none or several.
func (l *loads) of(server string) load {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []load
	for _, stream := range l.byID {
		if strings.HasPrefix(stream.url, server+"/") {
			found = append(found, load{encoding: stream.encoding, end: stream.end})
		}
	}
	if len(found) != 1 {
		return load{}
	}
	return found[0]
}
