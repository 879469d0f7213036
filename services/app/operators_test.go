package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings/services/app"
	"tidings/shared/auth"
	"tidings/shared/testkit"
)

// operator mints a token for everything.
func operator(t *testing.T) string {
	t.Helper()
	s, err := auth.Mint([]byte(secret), auth.Claims{User: "op", Admin: true, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// console asks a process's console as an operator and returns the status and the
// decoded answer.
func (p *process) console(method, path, body string) (int, map[string]any) {
	p.t.Helper()
	code, text := request(p.t, method, p.URL()+"/console/api/"+path, body, "Authorization", "Bearer "+operator(p.t))
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		p.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	return code, answer
}

// see is console for what must succeed.
func (p *process) see(path string) map[string]any {
	p.t.Helper()
	code, answer := p.console(http.MethodGet, path, "")
	if code != http.StatusOK {
		p.t.Fatalf("%s: %d %v", path, code, answer)
	}
	return answer
}

// pluck joins a field of the objects of a list.
func pluck(list any, fields ...string) string {
	var all []string
	for _, x := range list.([]any) {
		var one []string
		for _, f := range fields {
			one = append(one, fmt.Sprint(x.(map[string]any)[f]))
		}
		all = append(all, strings.Join(one, "/"))
	}
	return strings.Join(all, " ")
}

// pair starts two processes on one NATS: the first has all services, the second an
// edge.
func pair(t *testing.T, flags ...string) (first, second *process) {
	t.Helper()
	first = start(t, settings(t, append([]string{"--nats-listen=127.0.0.1:0", "--node=first"}, flags...)...)).ready()
	second = start(t, settings(t, append([]string{"--nats=" + first.NATSURL(), "--node=second"}, flags...)...), func(o *app.Options) {
		o.Services = []string{app.Edge}
	}).ready()
	return first, second
}

func TestMesh(t *testing.T) {
	t.Parallel()
	first, second := pair(t)
	const all = "console/first edge/first edge/second mailer/first notifier/first producer/first"
	members := func() string { return pluck(first.see("mesh")["members"], "service", "node") }
	testkit.Eventually(t, "everybody to be there", func() bool { return members() == all })
	second.listen("room.ops")
	first.post("room.ops", "1")
	testkit.Eventually(t, "the figures to be told", func() bool {
		for _, x := range first.see("mesh")["members"].([]any) {
			m := x.(map[string]any)
			f := m["figures"].(map[string]any)
			ok := true
			switch m["service"].(string) + m["node"].(string) {
			case "edgesecond":
				ok = f["connections"] == 1.0 && f["delivered"] == 1.0 && f["ready"] == true && f["draining"] == false && f["canary_ms"].(float64) >= 0
			case "edgefirst":
				ok = f["connections"] == 0.0 && f["followed"].(float64) >= 1
			case "producerfirst":
				ok = f["stored"] == 1.0
			case "consolefirst":
				ok = f["requests"].(float64) >= 1
			}
			if !ok || m["version"] != "0.0.0+test" {
				return false
			}
		}
		return true
	})
	if err := second.stop(); err != nil {
		t.Error(err)
	}
	since := time.Now()
	testkit.Eventually(t, "the second to be missed", func() bool { return members() == "console/first edge/first mailer/first notifier/first producer/first" })
	if took := time.Since(since); took > 5*time.Second {
		t.Errorf("a process was missed after %v only", took)
	}
	if gone := pluck(first.see("mesh")["gone"], "service", "node"); gone != "edge/second" {
		t.Errorf("gone are %q", gone)
	}
}

func TestConnectionsOfAllEdges(t *testing.T) {
	t.Parallel()
	first, second := pair(t)
	near, far := first.listen("room.ops"), second.listen("room.ops,room.dev")
	second.listen("room.dev")
	var l map[string]any
	testkit.Eventually(t, "all connections to be seen", func() bool {
		l = first.see("connections")
		return l["total"] == 3.0
	})
	if l["next"] != "" || len(l["connections"].([]any)) != 3 || len(l["silent"].([]any)) != 0 {
		t.Errorf("all: %v", l)
	}
	for query, want := range map[string]string{
		"node=first": "first", "node=second": "second second", "node=third": "", "topic=room.dev": "second second",
		"user=ann&ip=127.0.0.1&state=live&node=first": "first", "user=bob": "",
	} {
		if got := pluck(first.see("connections?" + query)["connections"], "node"); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	var names []string
	for after := ""; ; {
		page := first.see("connections?limit=1&after=" + after)
		names = append(names, pluck(page["connections"], "conn"))
		if after, _ = page["next"].(string); after == "" {
			break
		}
	}
	if got, want := strings.Join(names, " "), pluck(l["connections"], "conn"); got != want {
		t.Errorf("page by page: %s, want %s", got, want)
	}

	conn := pluck(first.see("connections?node=second&topic=room.ops")["connections"], "conn")
	if code, r := first.console(http.MethodPost, "connections/"+conn+"/cut", ""); code != http.StatusOK || r["cut"] != 1.0 {
		t.Errorf("cut: %d %v", code, r)
	}
	if bye := far.until("tidings.bye"); !strings.Contains(bye, `"code":"cut"`) || !strings.Contains(bye, `"return":true`) {
		t.Errorf("bye %s", bye)
	}
	testkit.Eventually(t, "the connection to be unknown", func() bool {
		code, r := first.console(http.MethodPost, "connections/"+conn+"/cut", "{}")
		return code == http.StatusNotFound && r["code"] == "connection_unknown"
	})
	if code, r := first.console(http.MethodPost, "cut", `{"user":"ann","return":false}`); code != http.StatusOK || r["cut"] != 2.0 {
		t.Errorf("cut ann: %d %v", code, r)
	}
	if bye := near.until("tidings.bye"); !strings.Contains(bye, `"return":false`) {
		t.Errorf("bye %s", bye)
	}
	for _, want := range []string{"msg=audit", "did=cut", "conn=" + conn, "operator=op", "user=ann"} {
		if !strings.Contains(first.log.String(), want) {
			t.Errorf("the log does not tell %s", want)
		}
	}
}

func TestTopicsAndStreams(t *testing.T) {
	t.Parallel()
	first, second := pair(t)
	first.listen("room.ops")
	second.listen("room.ops,room.*")
	for n := range 3 {
		first.post("room.ops", fmt.Sprint(n))
	}
	testkit.Eventually(t, "the topics to be told", func() bool {
		r := first.see("topics?prefix=room.o&sort=events&limit=1")
		return pluck(r["topics"], "topic", "subscribers", "held", "events") == "room.ops/2/3/3" && r["total"] == 1.0
	})
	if got := pluck(first.see("topics?prefix=room.*")["topics"], "topic", "subscribers"); got != "room.*/1" {
		t.Errorf("the pattern: %s", got)
	}
	testkit.Eventually(t, "both edges to follow the log", func() bool {
		for _, x := range first.see("streams")["streams"].([]any) {
			s := x.(map[string]any)
			if s["name"] != "tidings_EVENTS" {
				continue
			}
			c := s["consumers"].([]any)
			return len(c) == 2 && c[0].(map[string]any)["pending"] == 0.0 && c[0].(map[string]any)["last_active"] != nil &&
				s["max_per_subject"] == 1000.0 && s["max_age_s"] == 86400.0 && s["messages"].(float64) >= 3 && s["storage"] == "file" && s["last_time"] != nil
		}
		return false
	})
}

func TestMintAndRevoke(t *testing.T) {
	t.Parallel()
	first, second := pair(t)
	code, r := first.console(http.MethodPost, "token", `{"user":"eve","sub":["room.>"],"pub":["room.ops"],"ttl_s":60}`)
	minted, id := fmt.Sprint(r["token"]), fmt.Sprint(r["id"])
	if code != http.StatusCreated || r["expires"] == nil {
		t.Fatalf("mint: %d %v", code, r)
	}
	if strings.Contains(first.log.String(), minted) || !strings.Contains(first.log.String(), "id="+id) {
		t.Error("the log tells the token, or not its id")
	}
	try := func(p *process) int {
		code, _ := request(t, http.MethodGet, p.URL()+"/v1/topics/room.ops/events", "", "Authorization", "Bearer "+minted)
		return code
	}
	post := func() int {
		code, _ := request(t, http.MethodPost, first.URL()+"/v1/events", `{"topic":"room.ops","data":1}`, "Authorization", "Bearer "+minted)
		return code
	}
	if a, b, c := try(first), try(second), post(); a != http.StatusOK || b != http.StatusOK || c != http.StatusCreated {
		t.Fatalf("the new token gets %d, %d and %d", a, b, c)
	}
	far := second.listenAs(minted, "room.ops")
	for _, bad := range []string{`{}`, `{"user":"a","token":"b"}`, `{"users":"a"}`, `{"user":"a","keep_s":-1}`, ``} {
		if code, r := first.console(http.MethodPost, "revoke", bad); code != http.StatusBadRequest {
			t.Errorf("revoke %s: %d %v", bad, code, r)
		}
	}
	if code, r := first.console(http.MethodPost, "revoke", `{"token":"`+id+`"}`); code != http.StatusAccepted {
		t.Fatalf("revoke: %d %v", code, r)
	}
	if bye := far.until("tidings.bye"); !strings.Contains(bye, `"code":"revoked"`) || !strings.Contains(bye, `"return":false`) {
		t.Errorf("bye %s", bye)
	}
	if a, b := try(first), post(); a != http.StatusUnauthorized || b != http.StatusUnauthorized {
		t.Errorf("the revoked token gets %d and %d where it was revoked", a, b)
	}
	testkit.Eventually(t, "the other edge to refuse the token", func() bool { return try(second) == http.StatusUnauthorized })
	third := start(t, settings(t, "--nats="+first.NATSURL(), "--node=third")).ready() // it was not there then
	if code := try(third); code != http.StatusUnauthorized {
		t.Errorf("the revoked token gets %d at a new edge", code)
	}
	for _, bad := range []string{`{}`, `{"user":"a","ttl_s":3601}`, `{"user":"a","ttl_s":-1}`, `{"user":"a","sub":["a b"]}`, `{"user":""}`, `{"user":"a","root":true}`, `[]`} {
		if code, r := first.console(http.MethodPost, "token", bad); code != http.StatusBadRequest {
			t.Errorf("mint %s: %d %v", bad, code, r)
		}
	}
}

// TestOperatorsOnly: whoever is none learns nothing, and garbage is refused by name.
func TestOperatorsOnly(t *testing.T) {
	t.Parallel()
	p := start(t, settings(t)).ready()
	routes := map[string]string{
		"mesh": http.MethodGet, "connections": http.MethodGet, "topics": http.MethodGet, "streams": http.MethodGet,
		"connections/x/cut": http.MethodPost, "cut": http.MethodPost, "token": http.MethodPost, "revoke": http.MethodPost,
	}
	for path, method := range routes {
		url := p.URL() + "/console/api/" + path
		if code, body := request(t, method, url, "{}"); code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d %s", path, code, body)
		}
		if code, body := request(t, method, url, "{}", "Authorization", "Bearer "+token(t)); code != http.StatusForbidden || !strings.Contains(body, "admin_needed") {
			t.Errorf("%s with a token for rooms: %d %s", path, code, body)
		}
	}
	for _, path := range []string{
		"connections?limit=0", "connections?limit=501", "connections?limit=x", "connections?ip=x", "connections?state=x", "connections?topic=..",
		"connections?users=ann", "connections?user=a&user=b", "connections?user=%zz", "topics?sort=x", "topics?limit=-1", "mesh?x=1", "streams?x=1",
		"topics?prefix=" + strings.Repeat("x", 300),
	} {
		testkit.Eventually(t, path+" to be refused", func() bool { // once the edge has joined
			code, r := p.console(http.MethodGet, path, "")
			return code == http.StatusBadRequest && r["code"] != nil && r["param"] != nil
		})
	}
	for _, path := range []string{"connections/x/cut", "cut"} {
		if code, r := p.console(http.MethodPost, path, `{"x":1}`); code != http.StatusBadRequest {
			t.Errorf("%s: %d %v", path, code, r)
		}
	}
	if code, r := p.console(http.MethodPost, "connections/x/cut", ""); code != http.StatusBadRequest {
		t.Errorf("a name that is none: %d %v", code, r)
	}
	if code, r := p.console(http.MethodPost, "cut", "{}"); code != http.StatusBadRequest || r["param"] != "user" {
		t.Errorf("cut nobody: %d %v", code, r)
	}
}

// TestCrowd: with 2,000 connections the list comes at once, and deliveries go on. It
// has the machine for itself, since it looks at the clock.
func TestCrowd(t *testing.T) {
	const crowd = 2000
	first, second := pair(t, "--max-connections-per-user=3000")
	watcher := first.listen("room.ops")
	for i := range crowd {
		p := first
		if i%2 == 1 {
			p = second
		}
		p.listen("room.crowd")
	}
	testkit.Eventually(t, "the crowd to be seen", func() bool { return first.see("connections?topic=room.crowd")["total"] == float64(crowd) })
	best := time.Hour
	for n := range 10 { // the machine may be busy for some of them
		first.post("room.ops", fmt.Sprint(n))
		begun := time.Now()
		if l := first.see("connections?limit=500"); len(l["connections"].([]any)) != 500 || l["total"] != float64(crowd+1) || l["next"] == "" {
			t.Fatalf("the list: %d of %v, next %v", len(l["connections"].([]any)), l["total"], l["next"])
		}
		best = min(best, time.Since(begun))
		if data := watcher.until("message"); !strings.Contains(data, fmt.Sprintf(`"data":%d`, n)) {
			t.Fatalf("delivery %d: %s", n, data)
		}
	}
	t.Logf("the quickest list took %v", best)
	if best > 200*time.Millisecond {
		t.Errorf("the quickest of ten lists took %v", best)
	}
	if code, r := first.console(http.MethodPost, "cut", `{"user":"ann"}`); code != http.StatusOK || r["cut"] != float64(crowd+1) {
		t.Errorf("cut: %d %v", code, r)
	}
	watcher.until("tidings.bye")
	testkit.Eventually(t, "everybody to have left", func() bool { return first.see("connections")["total"] == 0.0 })
}
