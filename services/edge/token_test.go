package edge_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"tidings/shared/auth"
)

// TestRenewToken brings tokens that a live stream cannot go on with.
func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	everyLive(t, a, b, func(t *testing.T, w way, open func(tok, query string) live) {
		r := string(w.room("token"))
		claims := auth.Claims{User: "ann", Sub: []string{r}, TTL: time.Hour}
		l := open(tokenOf(t, claims), "topics="+r)
		path := "/v1/connections/" + l.conn + "/token"
		l.until("tidings.live")
		fresh := func(c auth.Claims, ttl time.Duration) string { c.TTL = ttl; return tokenOf(t, c) }
		other := auth.Claims{User: "bob", Sub: []string{r}}
		for _, c := range []struct {
			name, token, body string
			status            int
			code              string
		}{
			{"nothing", "", "", 401, "token_missing"},
			{"garbage in the body", fresh(claims, time.Hour), `{"token":"x.y.z"}`, 401, ""},
			{"garbage in the header", "x.y.z", "", 401, ""},
			{"unknown field", "", `{"tok":"x"}`, 400, "unknown_field"},
			{"another user's in the header", fresh(other, time.Hour), "", 404, "connection_unknown"},
			{"another user's in the body", fresh(claims, time.Hour), `{"token":"` + fresh(other, time.Hour) + `"}`, 404, "connection_unknown"},
			{"less than the topics", "", `{"token":"` + fresh(auth.Claims{User: "ann"}, time.Hour) + `"}`, 403, "topic_denied"},
		} {
			if status, p := l.via.call("POST", path, c.token, c.body); status != c.status || c.code != "" && p["code"] != c.code {
				t.Errorf("%s: got %d %v, want %d %s", c.name, status, p, c.status, c.code)
			}
		}
	})
}

// TestRenewedStreamsLive: streams live past the end of their first token, and end with
// the last one.
func TestRenewedStreamsLive(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	const first, last = 2 * time.Second, 5 * time.Second
	claims := func(ttl time.Duration) string {
		return tokenOf(t, auth.Claims{User: "ann", Sub: []string{"room.ops"}, TTL: ttl})
	}
	var list []live
	opened := time.Now()
	for _, n := range []*node{a, b} {
		for _, via := range []*node{a, b} {
			for _, deflate := range []bool{false, true} {
				w := way{node: n, deflate: deflate}
				stream, socket := live{via: via}, live{via: via}
				stream.ofStream(w, claims(first), "topics=room.ops")
				socket.ofSocket(w.dialAs(claims(first), "topics=room.ops"))
				list = append(list, stream, socket)
			}
		}
	}
	renewed := time.Now()
	for _, l := range list {
		path := "/v1/connections/" + l.conn + "/token"
		for _, c := range []struct{ token, body string }{
			{claims(time.Hour), ""},
			{"", `{"token":"` + claims(last) + `"}`}, // a shorter one counts as well
		} {
			status, state := l.via.call("POST", path, c.token, c.body)
			if status != http.StatusOK || fmt.Sprint(state["topics"]) != "[room.ops]" || state["conn"] != l.conn {
				t.Fatalf("renew: %d %v (%v after opening)", status, state, time.Since(opened))
			}
		}
	}
	for i, l := range list {
		expiring := false
		for kind := ""; kind != "tidings.bye"; {
			kind, _ = l.next()
			expiring = expiring || kind == "tidings.expiring"
		}
		// A token's end is a whole second.
		if d := time.Since(renewed); d < last-1500*time.Millisecond || !expiring {
			t.Errorf("stream %d ended %v after it was renewed, warned: %v", i, d, expiring)
		}
		path := "/v1/connections/" + l.conn + "/token"
		if status, p := l.via.call("POST", path, claims(time.Hour), ""); status != http.StatusNotFound || p["code"] != "connection_unknown" {
			t.Errorf("after the end of stream %d: %d %v", i, status, p)
		}
	}
}
