package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidings/shared/testkit"
)

// devProcess is a “tidings dev”, and what it has printed.
type devProcess struct {
	*process
	data, url, token, nats, admin string
}

// dev starts “tidings dev” on free ports and waits until it is ready. flags come
// last, so they win.
func dev(t testing.TB, data string, flags ...string) *devProcess {
	t.Helper()
	p := launch(t, devSpec(data, flags...))
	d := &devProcess{process: p, data: data}
	found := p.out.await(t, `Console\s+(http://\S+)/#token=(\S+)\n`)
	d.url, d.token = found[1], found[2]
	d.nats = p.out.await(t, `nats -s (\S+) pub tidings\.ev\.`)[1]
	d.admin = p.out.await(t, `Metrics\s+(http://\S+)/metrics`)[1]
	testkit.Eventually(t, "/readyz to be green", func() bool {
		code, _ := get(t, d.admin+"/readyz")
		return code == http.StatusOK
	})
	return d
}

func devSpec(data string, flags ...string) spec {
	return spec{args: append([]string{
		"dev", "--data", data, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--drain", "1s",
	}, flags...)}
}

// TestDev does what its output says: the page, the stream, both ways to publish.
func TestDev(t *testing.T) {
	t.Parallel()
	began := time.Now()
	d := dev(t, t.TempDir())
	t.Logf("ready after %v", time.Since(began))

	code, page := get(t, d.url+"/")
	if code != http.StatusOK || !strings.Contains(page, "/console/assets/app.js") {
		t.Errorf("the page: %d %.200s", code, page)
	}
	if code, body := get(t, d.url+"/console/api/info", "Authorization", "Bearer "+d.token); code != http.StatusOK || !strings.Contains(body, `"dev":true`) {
		t.Errorf("the page's API: %d %s", code, body)
	}
	if code, _ := get(t, d.url+"/console/api/info"); code != http.StatusUnauthorized {
		t.Errorf("the page's API without the token: %d", code)
	}

	// The charts move.
	figures, err := open(t.Context(), d.url, d.token, "room.host.*,room.nats", "")
	if err != nil {
		t.Fatal(err)
	}
	defer figures.close()
	timer := time.AfterFunc(testkit.Patience, figures.cancel)
	defer timer.Stop()
	for seen := map[string]int{}; seen["host.metrics"] < 2 || seen["nats.metrics"] < 2; {
		b, err := figures.next()
		if err != nil {
			t.Fatalf("%v; seen %v", err, seen)
		}
		seen[b.kind]++
	}

	// The token of the printed command.
	out, _, code := run(t, spec{args: []string{"token", "--data", d.data}})
	tok := strings.TrimSuffix(out, "\n")
	if code != 0 || strings.ContainsAny(tok, " \n") {
		t.Fatalf("token: %d %q", code, out)
	}
	s, err := open(t.Context(), d.url, tok, "room.ops", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	await := awaiter(t, s)
	await("tidings.live")

	// Any NATS client; then curl without a token.
	nc := connect(t, d.nats)
	var worst, sum time.Duration
	const rounds = 20
	for i := range rounds {
		sent := time.Now()
		if err := nc.Publish("tidings.ev.room.ops", []byte(`{"x":1}`)); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		b := await("message")
		took := time.Since(sent)
		if sum += took; took > worst {
			worst = took
		}
		if i == 0 && (!strings.Contains(b.data, `"topic":"room.ops","type":"message"`) || !strings.Contains(b.data, `"data":{"x":1}`) || b.id == "") {
			t.Errorf("event: %+v", b)
		}
	}
	t.Logf("nats pub to SSE: %v on average, %v at worst (50 ms wanted), race detector: %v", sum/rounds, worst, raced())
	if sum/rounds > time.Second {
		t.Errorf("an event takes %v", sum/rounds)
	}
	if code, body := request(t, http.MethodPost, d.url+"/v1/events", `{"topic":"room.ops","data":{"x":2}}`, "Content-Type", "application/x-www-form-urlencoded"); code != http.StatusCreated {
		t.Errorf("curl -d: %d %s", code, body)
	}
	if b := await("message"); !strings.Contains(b.data, `"data":{"x":2}`) {
		t.Errorf("event: %+v", b)
	}

	// Nothing but this machine reaches it, and its secret is its owner's.
	for _, u := range []string{d.url, d.admin, d.nats} {
		_, addr, _ := strings.Cut(u, "://")
		if host, _, err := net.SplitHostPort(addr); err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("dev listens at %s", u)
		}
	}
	info, err := os.Stat(filepath.Join(d.data, "dev.secret"))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the secret's file has mode %v", mode)
	}
	secret, err := os.ReadFile(filepath.Join(d.data, "dev.secret"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"the secret": strings.TrimSpace(string(secret)), "the console's token": d.token, "a token": tok} {
		if strings.Contains(d.log.String(), text) {
			t.Errorf("%s is in the log", name)
		}
	}
	d.signal(syscall.SIGINT)
	if code := d.wait(); code != 0 {
		t.Errorf("exit code %d after Ctrl-C", code)
	}
}

// awaiter returns a function that reads up to the next block of a kind.
func awaiter(t *testing.T, s *stream) func(kind string) block {
	t.Helper()
	return func(kind string) block {
		t.Helper()
		timer := time.AfterFunc(testkit.Patience, s.cancel)
		defer timer.Stop()
		for {
			b, err := s.next()
			if err != nil {
				t.Fatalf("waiting for %s: %v", kind, err)
			}
			if b.kind == kind {
				return b
			}
		}
	}
}

// TestTwoDevs: side by side with other ports and data; not on the same data.
func TestTwoDevs(t *testing.T) {
	t.Parallel()
	one := dev(t, t.TempDir())
	out, log, code := run(t, devSpec(one.data))
	if code != 1 || !strings.Contains(log, "data directory is in use") || !strings.Contains(log, one.data) {
		t.Errorf("dev on a used directory: exit code %d, said %q and %q", code, out, log)
	}
	_, addr, _ := strings.Cut(one.url, "://")
	if _, log, code := run(t, devSpec(t.TempDir(), "--http", addr)); code != 1 || !strings.Contains(log, addr) || !strings.Contains(log, "in use") {
		t.Errorf("dev on a used port: exit code %d, said %q", code, log)
	}
	two := dev(t, t.TempDir())
	if one.url == two.url || one.nats == two.nats || one.admin == two.admin {
		t.Errorf("two devs share addresses: %+v %+v", one, two)
	}
	// Their tokens are their own.
	if code, _ := get(t, two.url+"/console/api/info", "Authorization", "Bearer "+one.token); code != http.StatusUnauthorized {
		t.Errorf("the token of one is good for the other: %d", code)
	}
	// A restart keeps what was stored, and the tokens.
	if code, body := request(t, http.MethodPost, one.url+"/v1/events", `{"topic":"room.kept","data":1}`); code != http.StatusCreated {
		t.Fatalf("publish: %d %s", code, body)
	}
	if code := one.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	again := dev(t, one.data)
	code, body := get(t, again.url+"/v1/topics/room.kept/events", "Authorization", "Bearer "+one.token)
	var page struct{ Events []json.RawMessage }
	if decode(t, body, &page); code != http.StatusOK || len(page.Events) != 1 {
		t.Errorf("after the restart: %d %s", code, body)
	}
}
