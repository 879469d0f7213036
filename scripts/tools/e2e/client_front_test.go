package e2e_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// frontSecret signs the tokens of a front.
	frontSecret = "a secret that a front and its process know"
	// leeway is how long a process takes a token after its end, because clocks differ.
	leeway = 30 * time.Second
)

// manner is what a front does with a request that it should pass on.
type manner int32

const (
	passes  manner = iota // as it should
	holds                 // the headers come, the body stays in a buffer
	mutes                 // nothing comes at all
	refuses               // an answer of its own: 403
)

// front is an application's own server before a process. It gives a page with the
// client's bundles, under a policy as strict as browsers know; it gives tokens; and
// it passes /v1/ on over HTTP/1.1, unless it is to be a bad proxy.
type front struct {
	*httptest.Server
	t        *testing.T
	tidings  *process
	wires    *wires
	lifetime time.Duration // of its tokens
	policy   string        // of its page; set it before a visit

	sse, ws atomic.Int32 // manners
	tokens  atomic.Int32 // given so far

	mu    sync.Mutex
	asked map[string]int // requests by path
}

// newFront starts a process with settings and a front before it, whose tokens live
// for so long.
func newFront(t *testing.T, lifetime time.Duration, settings ...string) *front {
	t.Helper()
	f := &front{t: t, lifetime: lifetime, policy: frontPolicy, asked: map[string]int{}}
	f.tidings = begin(t, append(settings, "TIDINGS_JWT_SECRET="+frontSecret)...)
	mux := http.NewServeMux()
	for path, answer := range map[string]struct{ kind, text string }{
		"/page.html": {"text/html", frontHTML}, "/page.js": {"text/javascript", frontJS}, "/away.html": {"text/html", awayHTML},
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", answer.kind+"; charset=utf-8")
			w.Header().Set("Content-Security-Policy", f.policy)
			fmt.Fprint(w, answer.text)
		})
	}
	mux.Handle("GET /tidings/", http.StripPrefix("/tidings/", http.FileServer(http.Dir(clientDir+"/dist"))))
	mux.HandleFunc("GET /token", f.token)
	mux.Handle("/v1/", f.proxy())
	f.Server = httptest.NewUnstartedServer(mux)
	f.wires = &wires{Listener: f.Listener, open: map[*wire]bool{}}
	f.Listener = f.wires
	f.Start()
	t.Cleanup(func() {
		f.wires.cut() // a browser keeps some for later, and streams do not end
		f.Close()
	})
	return f
}

// frontPolicy lets the page do what the client needs and nothing else.
const frontPolicy = "default-src 'none'; connect-src 'self'; script-src 'self'; worker-src 'self'; img-src data:; require-trusted-types-for 'script'; trusted-types tidings"

// frontHTML is the page. Its query has topics and, as JSON, options of connect.
const frontHTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Client</title>
<link rel="icon" href="data:,"><script type="module" src="/page.js"></script><p>A page.</p></html>`

// awayHTML is another page of the same site.
const awayHTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Away</title><link rel="icon" href="data:,"><p>Away.</p></html>`

// frontJS notes in got the counted events, in states what the client was doing, in
// gaps what is lost, and in shown whether the page came from the back/forward cache.
// Where it does not, it goes on from where the visit before it ended.
const frontJS = `import { connect } from "/tidings/client.js";
const query = new URLSearchParams(location.search);
const kept = JSON.parse(sessionStorage.getItem("kept")) ?? { got: [] };
sessionStorage.removeItem("kept");
const rt = connect({
  token: () => fetch("/token").then((r) => r.text()),
  ...(kept.cursor && { cursor: kept.cursor }),
  ...JSON.parse(query.get("options")),
});
Object.assign(window, { rt, got: kept.got, resumed: kept.got.length, states: [], gaps: [], shown: [] });
rt.status.subscribe((s) => states.push({ ...s, at: performance.now() }));
for (const name of query.get("topics").split(",")) {
  const topic = rt.topic(name);
  topic.on("count", (data, m) => got.push([m.topic, data.n, m.cursor]));
  topic.onGap((gap) => gaps.push(gap));
}
addEventListener("pageshow", (e) => shown.push(e.persisted));
addEventListener("pagehide", () => query.has("keep") && sessionStorage.setItem("kept", JSON.stringify({ got, cursor: rt.cursor })));
`

// token answers with a token that the process takes for the front's lifetime.
func (f *front) token(w http.ResponseWriter, _ *http.Request) {
	claims := fmt.Sprintf(`{"sub":"ann","jti":"%d","exp":%d,"tidings":{"sub":["room.>"],"pub":["room.>"]}}`,
		f.tokens.Add(1), time.Now().Add(f.lifetime-leeway).Unix())
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(frontSecret))
	mac.Write([]byte(text))
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprint(w, text+"."+encode(mac.Sum(nil)))
}

// proxy passes requests on as the front's manners are.
func (f *front) proxy() http.Handler {
	to, err := url.Parse(f.tidings.url)
	if err != nil {
		f.t.Fatal(err)
	}
	onward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     log.New(io.Discard, "", 0), // a stream that breaks is what tests are about
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked[r.URL.Path]++
		f.mu.Unlock()
		does := passes
		switch r.URL.Path {
		case "/v1/events":
			does = manner(f.sse.Load())
		case "/v1/ws":
			does = manner(f.ws.Load())
		}
		switch does {
		case passes:
			onward.ServeHTTP(w, r)
		case holds:
			onward.ServeHTTP(&buffer{ResponseWriter: w}, r)
		case mutes:
			<-r.Context().Done()
		case refuses:
			w.WriteHeader(http.StatusForbidden)
		}
	})
}

// requests is how often a path was asked for.
func (f *front) requests(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

// visit opens the front's page in a tab, with these options of connect as JSON.
func (f *front) visit(p *page, options string, topics ...string) {
	f.t.Helper()
	p.visit(f.URL + "/page.html?keep&" + url.Values{"options": {options}, "topics": {strings.Join(topics, ",")}}.Encode())
}

// alive waits until the page's client is live by a way, or by any if that is "".
func (p *page) alive(via string) {
	p.t.Helper()
	p.until("a live client "+via, fmt.Sprintf(`((s) => s.state === "live" && s.via.startsWith(%q))(rt.status.get())`, via))
}

// noGaps fails the test if the page was told that events are lost.
func (p *page) noGaps() {
	p.t.Helper()
	if gaps := eval[string](p, "JSON.stringify(gaps)"); gaps != "[]" {
		p.t.Errorf("the page was told of gaps: %s", gaps)
	}
}

// buffer is what a proxy does that waits for the end of an answer.
type buffer struct{ http.ResponseWriter }

// WriteHeader sends the headers and no more.
func (b *buffer) WriteHeader(status int) {
	b.ResponseWriter.WriteHeader(status)
	_ = http.NewResponseController(b.ResponseWriter).Flush() // a client that has gone is found out by the reader
}

// Write implements io.Writer.
func (b *buffer) Write(text []byte) (int, error) { return len(text), nil }

// Flush implements http.Flusher and does not.
func (b *buffer) Flush() {}

// pouring is a careful producer at work: see process.pour.
type pouring struct {
	t       *testing.T
	reached atomic.Int64
}

// pour publishes the numbers from first to last on topics in turn, one every look,
// whether the process is there or not.
func (f *front) pour(first, last int, topics ...string) *pouring {
	f.t.Helper()
	o := &pouring{t: f.t}
	ctx, cancel := context.WithCancel(f.t.Context())
	var wg sync.WaitGroup
	f.t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	wg.Go(func() {
		for n := first; n <= last; n++ {
			if f.tidings.pour(ctx, n, n, topics[n%len(topics)], func(n int) { o.reached.Store(int64(n)) }) != nil {
				return // the test is over
			}
		}
	})
	return o
}

// until waits until number n was published.
func (o *pouring) until(n int) {
	o.t.Helper()
	last := o.reached.Load()
	for poll(func() bool { return o.reached.Load() >= int64(n) || o.reached.Load() > last }, nil) { // it goes on
		if last = o.reached.Load(); last >= int64(n) {
			return
		}
	}
	o.t.Fatalf("event %d was not published, but %d was", n, last)
}
