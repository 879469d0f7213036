package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// door is a proxy in front of a process, as every deployment has one. It serves a
// page with a native EventSource itself, so that the page has the stream's origin,
// and it can be shut: then it hangs up on everyone, with no answer at all.
type door struct {
	*httptest.Server
	gate *gate
}

// newDoor opens a door to the process. token, if any, becomes the page's cookie.
func newDoor(t *testing.T, p *process, token string) *door {
	t.Helper()
	to, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page.html", func(w http.ResponseWriter, _ *http.Request) {
		if token != "" {
			http.SetCookie(w, &http.Cookie{Name: "tidings_token", Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, pageHTML)
	})
	mux.Handle("/", &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		// A 502 would end a native EventSource for ever. Where deploy/Caddyfile answers
		// for a node that is away, this door hangs up, which is ruder.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	d := &door{Server: httptest.NewUnstartedServer(mux)}
	d.gate = &gate{Listener: d.Listener, open: map[net.Conn]bool{}}
	d.Listener = d.gate
	d.Start()
	t.Cleanup(func() {
		d.gate.shut()
		d.Close()
	})
	return d
}

// pageHTML opens window.es, a native EventSource on the page's query, and notes
// what it gets: window.got holds the counted events, window.told the rest.
const pageHTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>EventSource</title>
<link rel="icon" href="data:,"><pre id="told"></pre>
<script>
window.got = [];
window.told = [];
const tell = (line) => { told.push(line); document.getElementById("told").textContent = told.join("\n"); };
const listen = (es) => {
  es.addEventListener("count", (e) => { const d = JSON.parse(e.data); got.push([d.topic, d.data.n, e.lastEventId]); });
  es.addEventListener("tidings.hello", (e) => tell("hello resumed:" + JSON.parse(e.data).resumed));
  es.addEventListener("tidings.bye", (e) => tell("bye " + JSON.parse(e.data).code));
  for (const type of ["live", "gap", "away", "expiring"]) es.addEventListener("tidings." + type, () => tell(type));
  es.onerror = () => tell("error " + es.readyState);
  return es;
};
window.source = (query) => listen(new EventSource("/v1/events" + query));
window.es = source(location.search);
</script></html>`

// gate is a listener that can be shut.
type gate struct {
	net.Listener

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

// Accept implements net.Listener. While the gate is shut it accepts and hangs up,
// which is what a browser sees of a proxy that is being restarted.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		if g.closed {
			g.mu.Unlock()
			c.Close()
			continue
		}
		passing := &passing{Conn: c, gate: g}
		g.open[passing] = true
		g.mu.Unlock()
		return passing, nil
	}
}

// shut cuts all connections and lets none in.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for c := range g.open {
		c.(*passing).Conn.Close()
	}
	clear(g.open)
}

// reopen lets connections in again.
func (g *gate) reopen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

// passing is a connection that the gate knows of.
type passing struct {
	net.Conn
	gate *gate
}

// Close implements net.Conn.
func (p *passing) Close() error {
	p.gate.mu.Lock()
	delete(p.gate.open, p)
	p.gate.mu.Unlock()
	return p.Conn.Close()
}
