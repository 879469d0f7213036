package app_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"tidings/services/app"
	"tidings/shared/testkit"
)

// TestTwoAppsServeOneLog is the production shape in one process: what comes in at
// one node goes out at both, and the second outlives a restart of the first.
func TestTwoAppsServeOneLog(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := start(t, settings(t, "--data="+data, "--nats-listen=127.0.0.1:0", "--node=first")).ready()
	nats := first.NATSURL()
	second := start(t, settings(t, "--nats="+nats, "--node=second"), func(o *app.Options) { o.Services = []string{app.Edge} }).ready()
	if second.NATSURL() != "" {
		t.Errorf("an external NATS is said to be ours: %s", second.NATSURL())
	}
	near, far := first.listen("room.ops"), second.listen("room.ops")
	first.post("room.ops", `{"n":1}`)
	for name, l := range map[string]*listener{"first": near, "second": far} {
		if data := l.until("message"); !strings.Contains(data, `"data":{"n":1}`) {
			t.Errorf("%s: got %s", name, data)
		}
	}
	if code, _ := request(t, http.MethodPost, second.URL()+"/v1/events", "{}"); code != http.StatusNotFound && code != http.StatusMethodNotAllowed {
		t.Errorf("a process without producer takes events: %d", code)
	}

	if err := first.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	testkit.Eventually(t, "the second to notice that NATS is away", func() bool {
		code, body := get(t, second.AdminURL()+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "NATS is away")
	})
	if code, body := get(t, second.AdminURL()+"/healthz"); code != http.StatusOK {
		t.Errorf("healthz without NATS: %d %s; a restart would not help", code, body)
	}
	far.until("tidings.away")
	again := start(t, settings(t, "--data="+data, "--nats-listen="+strings.TrimPrefix(nats, "nats://"), "--node=first")).ready()
	second.ready()
	far.until("tidings.live")
	again.post("room.ops", `{"n":2}`)
	if data := far.until("message"); !strings.Contains(data, `"data":{"n":2}`) {
		t.Errorf("after the restart: %s", data)
	}
	if err := second.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// TestCloseWithoutRun gives everything back, as often as it is called.
func TestCloseWithoutRun(t *testing.T) {
	t.Parallel()
	s := settings(t, "--nats-listen=127.0.0.1:0")
	log := (&journal{}).logger(t)
	a, err := app.New(t.Context(), options(s, log))
	if err != nil {
		t.Fatal(err)
	}
	s.HTTP, s.Admin, s.NATSListen = host(a.URL()), host(a.AdminURL()), host(a.NATSURL())
	for range 2 {
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	// The same directory and the same ports: nothing may be held any more.
	b, err := app.New(t.Context(), options(s, log))
	if err != nil {
		t.Fatalf("new on what was released: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Run(ended); err != nil {
		t.Errorf("run of a stopped app: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("close after run: %v", err)
	}
	for _, addr := range []string{s.HTTP, s.Admin, s.NATSListen} {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("%s still answers", addr)
		}
	}
}

// TestListenersOutliveTheServices: while streams leave, newcomers are told to come
// back and probes are told why. Then the process ends without an error.
func TestListenersOutliveTheServices(t *testing.T) {
	t.Parallel()
	p := start(t, settings(t, "--drain=3s")).ready()
	streams := make([]*listener, 5)
	for i := range streams {
		streams[i] = p.listen("room.ops")
	}
	p.end()
	testkit.Eventually(t, "/readyz to be red", func() bool {
		code, body := get(t, p.AdminURL()+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	if code, body := get(t, p.URL()+"/v1/events?topics=room.ops", "Authorization", "Bearer "+token(t)); code != http.StatusOK || !strings.Contains(body, `"code":"draining"`) {
		t.Errorf("a newcomer got %d %s", code, body)
	}
	for _, l := range streams {
		if bye := l.until("tidings.bye"); !strings.Contains(bye, `"code":"draining"`) || !strings.Contains(bye, `"return":true`) {
			t.Errorf("bye: %s", bye)
		}
	}
	if err := p.stop(); err != nil {
		t.Errorf("run: %v", err)
	}
}

// TestNoDrain: a drain time of 0 sends everyone away at once.
func TestNoDrain(t *testing.T) {
	t.Parallel()
	p := start(t, settings(t, "--drain=0")).ready()
	l := p.listen("room.ops")
	if err := p.stop(); err != nil {
		t.Errorf("run: %v", err)
	}
	if bye := l.until("tidings.bye"); !strings.Contains(bye, `"code":"draining"`) {
		t.Errorf("bye: %s", bye)
	}
}

// host is the address in a URL.
func host(url string) string {
	_, addr, _ := strings.Cut(url, "://")
	return addr
}
