package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// The two streams of a page: over a bare wire, from another origin than the page's,
// and from its own, through a proxy as every deployment has one.
const direct, proxied = "direct", "proxied"

// stage serves a page that opens two streams of a process, each with a native
// EventSource, and tells an audience what they get.
type stage struct {
	*httptest.Server
	*audience
	wire    *tap
	tidings *process
}

// newStage starts a process and a server for its page.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{audience: newAudience(t, direct, proxied), wire: newTap(t)}
	to, err := url.Parse(s.wire.url)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page.html", s.page)
	mux.HandleFunc("POST /heard", s.heard)
	mux.Handle("GET /v1/events", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections() // a browser keeps some for later
		s.Close()
	})
	s.tidings = begin(t, "TIDINGS_ORIGINS="+s.URL)
	s.wire.connect(s.tidings)
	return s
}

// page answers with the page. The cookie is for both streams: cookies know no ports.
func (s *stage) page(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "tidings_token", Value: s.tidings.token(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	const path = "/v1/events?topics=" + sampled
	fmt.Fprintf(w, stageHTML, quote(direct), quote(s.wire.url+path), quote(proxied), quote(path))
}

// heard takes what the page got.
func (s *stage) heard(w http.ResponseWriter, r *http.Request) {
	var h heard
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, longest)).Decode(&h)
	if err == nil {
		err = s.tell(h)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// stageHTML tells what it gets one by one, so that nothing overtakes anything. A
// stream that ends is not opened again; if it may not be, it was refused.
const stageHTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Streams</title>
<link rel="icon" href="data:,">
<script>
let told = Promise.resolve();
const tell = (heard) => {
  told = told.then(() => fetch("/heard", { method: "POST", body: JSON.stringify(heard) }));
};
const listen = (stream, url) => {
  const es = new EventSource(url, { withCredentials: true });
  const hear = (e) => tell({ stream, id: e.lastEventId, type: e.type, data: e.data });
  for (const type of ["sample", "message"]) es.addEventListener(type, hear);
  for (const type of ["hello", "live", "gap", "away", "expiring", "bye"]) es.addEventListener("tidings." + type, hear);
  es.onerror = () => {
    tell({ stream, type: "ended", data: es.readyState === EventSource.CONNECTING ? "" : "refused" });
    es.close();
  };
};
listen(%s, %s);
listen(%s, %s);
</script></html>`
