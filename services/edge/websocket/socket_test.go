package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"tidings/services/edge/websocket"
	"tidings/services/edge/websocket/websockettest"
)

// echo is a server that sends texts back, compressed if that was agreed, and reads
// in an ordinary goroutine.
func echo(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shake, err := websocket.Accept(r, true)
		if err != nil {
			var e *websocket.HandshakeError
			errors.As(err, &e)
			maps.Copy(w.Header(), e.Header)
			http.Error(w, e.Detail, e.Status)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := conn.Write(shake.AppendHead(nil, w.Header())); err != nil {
			t.Error(err)
		}
		serve(rw, conn, shake)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// serve answers until the client leaves or breaks a rule.
func serve(in io.Reader, out io.Writer, shake websocket.Handshake) {
	var r websocket.Reader
	defer r.Release()
	lim := websocket.Limits{MaxMessage: 1 << 20, Deflate: shake.Deflate}
	buf := make([]byte, 1000)
	for {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		err = r.Feed(buf[:n], lim, func(m websocket.Message) error {
			var answer []byte
			switch {
			case m.Opcode == websocket.Close:
				_, _ = out.Write(websocket.AppendClose(nil, m.Code, string(m.Payload)))
				return io.EOF
			case m.Opcode == websocket.Ping:
				answer = websocket.AppendPong(nil, m.Payload)
			case m.Opcode == websocket.Text && shake.Deflate:
				answer = websocket.AppendDeflated(nil, websocket.Deflate(nil, m.Payload))
			case m.Opcode == websocket.Text:
				answer = websocket.AppendText(nil, m.Payload)
			}
			_, err := out.Write(answer)
			return err
		})
		if e, ok := errors.AsType[*websocket.CloseError](err); ok {
			_, _ = out.Write(websocket.AppendClose(nil, e.Code, e.Reason))
		}
		if err != nil {
			return
		}
	}
}

func TestOwnClient(t *testing.T) {
	t.Parallel()
	url := echo(t)
	for _, offer := range []string{"", websockettest.OfferDeflate} {
		header := http.Header{"Sec-WebSocket-Protocol": {websocket.Protocol}}
		if offer != "" {
			header.Set("Sec-WebSocket-Extensions", offer)
		}
		c, err := websockettest.Dial(url, header)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.Header.Get("Sec-WebSocket-Protocol"); got != websocket.Protocol {
			t.Errorf("protocol %q", got)
		}
		large := strings.Repeat(event(), 400)
		for _, s := range []string{"", "Hello", greek, large} {
			if err := c.WriteText(s); err != nil {
				t.Fatal(err)
			}
			m, err := c.ReadMessage()
			if err != nil || m.Opcode != websockettest.Text || string(m.Payload) != s || m.Deflated != (offer != "") {
				t.Errorf("opcode %d, %d bytes, deflated %t, %v", m.Opcode, len(m.Payload), m.Deflated, err)
			}
		}
		if err := c.WriteFrame(websockettest.Ping, true, false, []byte("p")); err != nil {
			t.Fatal(err)
		}
		if m, err := c.ReadMessage(); err != nil || tell(websocket.Message{Opcode: websocket.Opcode(m.Opcode), Payload: m.Payload}) != "pong p" {
			t.Errorf("%+v, %v", m, err)
		}
		if err := c.WriteClose(4001, "enough"); err != nil {
			t.Fatal(err)
		}
		if m, err := c.ReadMessage(); err != nil || m.Opcode != websockettest.Close || m.Code != 4001 || string(m.Payload) != "enough" {
			t.Errorf("%+v, %v", m, err)
		}
		if m, err := c.ReadMessage(); err != io.EOF {
			t.Errorf("%+v, %v after the end", m, err)
		}
	}
}

func TestViolationOnSocket(t *testing.T) {
	t.Parallel()
	c, err := websockettest.Dial(echo(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("\x81\x05Hello")); err != nil { // not masked
		t.Fatal(err)
	}
	if m, err := c.ReadMessage(); err != nil || m.Code != 1002 || len(m.Payload) == 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestRefusedOnSocket(t *testing.T) {
	t.Parallel()
	_, err := websockettest.Dial(echo(t), http.Header{"Sec-WebSocket-Version": {"8"}})
	var e *websockettest.Refused
	if !errors.As(err, &e) || e.Status != 426 || e.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("%v", err)
	}
}

// TestOtherClient talks with the client of another library, so that the two halves
// written here are not merely wrong together.
func TestOtherClient(t *testing.T) {
	t.Parallel()
	d := ws.Dialer{
		Protocols: []string{"other", websocket.Protocol},
		Extensions: []httphead.Option{{
			Name: []byte("permessage-deflate"), Parameters: httphead.Parameters{},
		}},
	}
	conn, _, shake, err := d.Dial(context.Background(), "ws"+strings.TrimPrefix(echo(t), "http"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if shake.Protocol != websocket.Protocol || len(shake.Extensions) != 1 {
		t.Errorf("agreed on %+v", shake)
	}
	for i := range 10 {
		s := strings.Repeat(fmt.Sprintf("message %d ", i), 1<<i)
		if err := wsutil.WriteClientText(conn, []byte(s)); err != nil {
			t.Fatal(err)
		}
		h, err := ws.ReadHeader(conn)
		if err != nil || !h.Fin || !h.Rsv1() || h.OpCode != ws.OpText {
			t.Fatalf("%+v, %v", h, err)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(conn, payload); err != nil {
			t.Fatal(err)
		}
		if got, err := websockettest.Inflate(payload); err != nil || string(got) != s {
			t.Errorf("%q, %v", got, err)
		}
	}
}
