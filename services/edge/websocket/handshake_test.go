package websocket_test

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tidings/services/edge/websocket"
	"tidings/shared/httpx"
)

// request is the example of RFC 6455, section 1.3, changed.
func request(change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/v1/ws", nil)
	r.Host = "server.example.com"
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
	} {
		r.Header.Set(name, value)
	}
	for _, f := range change {
		f(r)
	}
	return r
}

// with sets a header to any number of values.
func with(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del(name)
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*http.Request{
		"the RFC's example":    request(),
		"other case":           request(with("Upgrade", "WebSocket"), with("Connection", "keep-alive, UPGRADE")),
		"several lines":        request(with("Connection", "keep-alive", " upgrade ,"), with("Upgrade", "h2c, websocket")),
		"protocols not ours":   request(with("Sec-WebSocket-Protocol", "chat, superchat")),
		"extensions not ours":  request(with("Sec-WebSocket-Extensions", `foo, bar; baz=2; q="a\b"`)),
		"deflate without wish": request(with("Sec-WebSocket-Extensions", "x-webkit-deflate-frame")),
	} {
		h, err := websocket.Accept(r, true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}
		if got := h.Header(); !equal(got, want) || h.Protocol != "" || h.Deflate {
			t.Errorf("%s: %+v with headers %v", name, h, got)
		}
	}
}

func equal(a, b http.Header) bool {
	var x, y bytes.Buffer
	_ = a.Write(&x)
	_ = b.Write(&y)
	return x.String() == y.String()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		code   string
		header string
	}{
		"POST":               {func(r *http.Request) { r.Method = "POST" }, 405, websocket.CodeBadMethod, "Allow"},
		"HTTP/1.0":           {func(r *http.Request) { r.ProtoMinor = 0 }, 505, websocket.CodeBadHTTP, ""},
		"HTTP/2":             {func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 }, 505, websocket.CodeBadHTTP, ""},
		"no host":            {func(r *http.Request) { r.Host = "" }, 400, websocket.CodeBadHandshake, ""},
		"a body":             {func(r *http.Request) { r.ContentLength = 3 }, 400, websocket.CodeBadHandshake, ""},
		"a chunked body":     {func(r *http.Request) { r.ContentLength, r.TransferEncoding = -1, []string{"chunked"} }, 400, websocket.CodeBadHandshake, ""},
		"no Upgrade":         {with("Upgrade"), 426, websocket.CodeNoUpgrade, "Upgrade"},
		"other Upgrade":      {with("Upgrade", "websockets"), 426, websocket.CodeNoUpgrade, "Upgrade"},
		"no Connection":      {with("Connection"), 426, websocket.CodeNoUpgrade, "Upgrade"},
		"Connection stays":   {with("Connection", "keep-alive"), 426, websocket.CodeNoUpgrade, "Upgrade"},
		"no version":         {with("Sec-WebSocket-Version"), 426, websocket.CodeBadVersion, "Sec-WebSocket-Version"},
		"version 8":          {with("Sec-WebSocket-Version", "8"), 426, websocket.CodeBadVersion, "Sec-WebSocket-Version"},
		"version 013":        {with("Sec-WebSocket-Version", "013"), 426, websocket.CodeBadVersion, "Sec-WebSocket-Version"},
		"two versions":       {with("Sec-WebSocket-Version", "13", "8"), 426, websocket.CodeBadVersion, "Sec-WebSocket-Version"},
		"no key":             {with("Sec-WebSocket-Key"), 400, websocket.CodeBadKey, ""},
		"short key":          {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"), 400, websocket.CodeBadKey, ""},
		"long key":           {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSE="), 400, websocket.CodeBadKey, ""},
		"key without end":    {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), 400, websocket.CodeBadKey, ""},
		"key with odd bits":  {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR=="), 400, websocket.CodeBadKey, ""},
		"no base64":          {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub2*jZQ=="), 400, websocket.CodeBadKey, ""},
		"two keys":           {with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="), 400, websocket.CodeBadKey, ""},
		"protocol twice":     {with("Sec-WebSocket-Protocol", "tidings.v1, tidings.v1"), 400, websocket.CodeBadProtocol, ""},
		"protocol no name":   {with("Sec-WebSocket-Protocol", "tidings v1"), 400, websocket.CodeBadProtocol, ""},
		"many protocols":     {with("Sec-WebSocket-Protocol", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), 400, websocket.CodeBadProtocol, ""},
		"extension no name":  {with("Sec-WebSocket-Extensions", "; a"), 400, websocket.CodeBadExtensions, ""},
		"extension spaced":   {with("Sec-WebSocket-Extensions", "permessage deflate"), 400, websocket.CodeBadExtensions, ""},
		"parameter no name":  {with("Sec-WebSocket-Extensions", "a;"), 400, websocket.CodeBadExtensions, ""},
		"parameter no value": {with("Sec-WebSocket-Extensions", "a; b="), 400, websocket.CodeBadExtensions, ""},
		"quote left open":    {with("Sec-WebSocket-Extensions", `a; b="c`), 400, websocket.CodeBadExtensions, ""},
		"escape left open":   {with("Sec-WebSocket-Extensions", `a; b="c\`), 400, websocket.CodeBadExtensions, ""},
		"quoted no token":    {with("Sec-WebSocket-Extensions", `a; b="c d"`), 400, websocket.CodeBadExtensions, ""},
		"quoted nothing":     {with("Sec-WebSocket-Extensions", `a; b=""`), 400, websocket.CodeBadExtensions, ""},
		"many extensions":    {with("Sec-WebSocket-Extensions", strings.Repeat("a,", 17)), 400, websocket.CodeBadExtensions, ""},
		"many parameters":    {with("Sec-WebSocket-Extensions", "a"+strings.Repeat(";b", 17)), 400, websocket.CodeBadExtensions, ""},
	} {
		_, err := websocket.Accept(request(c.change), true)
		var e *websocket.HandshakeError
		if !errors.As(err, &e) || e.Status != c.status || e.Code != c.code || e.Detail == "" {
			t.Errorf("%s: %+v, want %d %s", name, err, c.status, c.code)
			continue
		}
		if c.header != "" && e.Header.Get(c.header) == "" {
			t.Errorf("%s: headers %v without %s", name, e.Header, c.header)
		}
		if p := httpx.ProblemOf(err, nil); p.Status != c.status || p.Code != c.code {
			t.Errorf("%s: shown as %+v", name, p)
		}
	}
}

func TestProtocol(t *testing.T) {
	t.Parallel()
	for _, values := range [][]string{{"tidings.v1"}, {"tidings.v9, tidings.v1"}, {"tidings.v9", " ,tidings.v1,"}} {
		h, err := websocket.Accept(request(with("Sec-WebSocket-Protocol", values...)), true)
		if err != nil || h.Protocol != "tidings.v1" || h.Header().Get("Sec-WebSocket-Protocol") != "tidings.v1" {
			t.Errorf("%q: %+v, %v", values, h, err)
		}
	}
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	const plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	const wide = plain + "; server_max_window_bits=15"
	for offers, want := range map[string]string{
		"permessage-deflate":                                                                            plain,
		"permessage-deflate; client_max_window_bits":                                                    plain,
		"permessage-deflate;client_max_window_bits=8":                                                   plain,
		`permessage-deflate ; client_max_window_bits = "15"`:                                            plain,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover":                    plain,
		"permessage-deflate; server_max_window_bits=15":                                                 wide,
		`permessage-deflate; server_max_window_bits="1\5"`:                                              wide,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":                             plain,
		"permessage-deflate; server_max_window_bits=10":                                                 "",
		"permessage-deflate; server_max_window_bits":                                                    "",
		"permessage-deflate; server_max_window_bits=16":                                                 "",
		"permessage-deflate; client_max_window_bits=7":                                                  "",
		"permessage-deflate; client_max_window_bits=16":                                                 "",
		"permessage-deflate; client_max_window_bits=08":                                                 "",
		"permessage-deflate; client_max_window_bits=x":                                                  "",
		"permessage-deflate; server_no_context_takeover=1":                                              "",
		"permessage-deflate; client_no_context_takeover=true":                                           "",
		"permessage-deflate; unknown":                                                                   "",
		"permessage-deflate; client_max_window_bits; client_max_window_bits":                            "",
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover":                    "",
		"permessage-deflate; unknown, foo; a=b, , permessage-deflate; client_max_window_bits=12, other": plain,
		"x-webkit-deflate-frame":                                                                        "",
	} {
		r := request(with("Sec-WebSocket-Extensions", offers))
		h, err := websocket.Accept(r, true)
		if got := h.Header().Get("Sec-WebSocket-Extensions"); err != nil || got != want || h.Deflate != (want != "") {
			t.Errorf("%s: answer %q, agreed %t, %v; want %q", offers, got, h.Deflate, err, want)
		}
		if h, err := websocket.Accept(r, false); err != nil || h.Deflate || h.Header().Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("%s: unwanted and agreed: %+v, %v", offers, h, err)
		}
	}
	two := request(with("Sec-WebSocket-Extensions", "foo", "permessage-deflate"))
	if h, err := websocket.Accept(two, true); err != nil || !h.Deflate {
		t.Errorf("two lines: %+v, %v", h, err)
	}
}

func TestAppendHead(t *testing.T) {
	t.Parallel()
	h, err := websocket.Accept(request(with("Sec-WebSocket-Protocol", "tidings.v1"), with("Sec-WebSocket-Extensions", "permessage-deflate")), true)
	if err != nil {
		t.Fatal(err)
	}
	head := h.AppendHead([]byte("before"), http.Header{
		"X-Request-Id": {"abc\r\nX-Evil: 1"}, "Vary": {"Origin", "Cookie"}, "upgrade": {"h2c"}, "Content-Length": {"5"},
		"Sec-WebSocket-Accept": {"mine"}, "Sec-Websocket-Version": {"8"}, "No Name": {"x"},
	})
	head, ok := bytes.CutPrefix(head, []byte("before"))
	if !ok || !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		t.Fatalf("%q", head)
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	want := h.Header()
	want["X-Request-Id"] = []string{"abc  X-Evil: 1"}
	want["Vary"] = []string{"Origin", "Cookie"}
	if res.StatusCode != http.StatusSwitchingProtocols || !equal(res.Header, want) {
		t.Errorf("%s with %v, want %v", res.Status, res.Header, want)
	}
}

// FuzzAccept looks for headers that Accept fails on, and for answers that are none.
func FuzzAccept(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits", "tidings.v1", "Upgrade")
	f.Add(`a; b="\"", permessage-deflate; server_max_window_bits="15"`, "a, b", "keep-alive, upgrade")
	f.Fuzz(func(t *testing.T, extensions, protocols, connection string) {
		r := request(with("Sec-WebSocket-Extensions", extensions), with("Sec-WebSocket-Protocol", protocols), with("Connection", connection))
		h, err := websocket.Accept(r, true)
		if err != nil {
			var e *websocket.HandshakeError
			if !errors.As(err, &e) || e.Status < 400 || e.Status > 599 {
				t.Errorf("%v", err)
			}
			return
		}
		if h.Deflate && !strings.Contains(extensions, "permessage-deflate") || h.Protocol != "" && !strings.Contains(protocols, h.Protocol) {
			t.Errorf("agreed on what was not offered: %+v", h)
		}
	})
}
