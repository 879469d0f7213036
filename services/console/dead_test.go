package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"tidings/services/console"
	"tidings/shared/testkit"
	"tidings/shared/worker"
)

// morgue is a console whose queue has dead letters, with a sender that refuses until it
// is healed.
type morgue struct {
	*fixture
	queue  *worker.Queue
	healed atomic.Bool
}

// newMorgue lets a job die for each recipient, of the notification "n-" and its name.
func newMorgue(t *testing.T, recipients ...string) *morgue {
	t.Helper()
	conn, space := testkit.NATS(t), testkit.Space(t)
	limits := worker.DefaultLimits()
	limits.JobBytes, limits.ReceiptBytes, limits.DeadBytes = 1<<20, 1<<20, 1<<20
	queue, err := worker.Open(t.Context(), conn, space, limits)
	if err != nil {
		t.Fatal(err)
	}
	m := &morgue{queue: queue, fixture: &fixture{t: t, h: newHandler(t, console.Config{Queue: queue})}}
	send := worker.SenderFunc(func(context.Context, worker.Attempt) (worker.Outcome, error) {
		if m.healed.Load() {
			return worker.Outcome{}, nil
		}
		return worker.Never(), fmt.Errorf("554 refused")
	})
	w, err := worker.New(queue, worker.Config{Channel: "mail", Sender: send, Concurrency: 1}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for i, r := range recipients {
		job := worker.Job{Notification: "n-" + r, Channel: "mail", Recipient: r, Payload: json.RawMessage(`{"title":"To ` + r + `"}`)}
		if _, err := queue.Enqueue(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		m.until(fmt.Sprintf("%d letters", i+1), "dead", func(body string) bool { return strings.Count(body, `"seq"`) == i+1 })
	}
	return m
}

// until waits until an answer is as it should be.
func (m *morgue) until(what, path string, ok func(body string) bool) {
	m.t.Helper()
	testkit.Eventually(m.t, what, func() bool {
		code, body := m.ask(http.MethodGet, path, "")
		return code == http.StatusOK && ok(body)
	})
}

// list returns the recipients of a page and where the next one begins.
func (m *morgue) list(parameters string) (recipients string, next uint64) {
	m.t.Helper()
	code, body := m.ask(http.MethodGet, "dead"+parameters, "")
	var page struct {
		Letters []struct {
			Seq       uint64
			Recipient string
			Payload   json.RawMessage
		}
		Next uint64
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || code != http.StatusOK {
		m.t.Fatalf("%s: %d %s (%v)", parameters, code, body, err)
	}
	for _, l := range page.Letters {
		recipients += l.Recipient + " "
		if l.Payload != nil {
			m.t.Errorf("a list holds the payload %s", l.Payload)
		}
	}
	return strings.TrimSpace(recipients), page.Next
}

// TestDeadLetters lists, shows, redrives and drops them, one by one and all.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	m := newMorgue(t, "ann", "bob", "eve", "guo")
	first, next := m.list("?limit=2")
	if rest, end := m.list(fmt.Sprintf("?limit=2&after=%d", next)); first != "ann bob" || rest != "eve guo" || next == 0 || end != 0 {
		t.Errorf("the pages are %q up to %d, and %q up to %d", first, next, rest, end)
	}
	for parameters, want := range map[string]string{
		"?notification=n-eve": "eve", "?channel=sms": "", "?reason=permanent&channel=mail": "ann bob eve guo", "?reason=attempts": "",
		"?notification=n-guo&limit=1": "guo",
	} {
		if got, _ := m.list(parameters); got != want {
			t.Errorf("%s: %q, want %q", parameters, got, want)
		}
	}
	if code, body := m.ask(http.MethodGet, "dead/1", ""); code != http.StatusOK || !strings.Contains(body, `"payload":{"title":"To ann"}`) || !strings.Contains(body, `"error":"554 refused"`) {
		t.Errorf("a letter: %d %s", code, body)
	}
	if code, body := m.ask(http.MethodDelete, "dead/2", ""); code != http.StatusOK || body != `{"dropped":1}` {
		t.Errorf("drop: %d %s", code, body)
	}
	m.healed.Store(true)
	if code, body := m.ask(http.MethodPost, "dead/1/redrive", ""); code != http.StatusOK || body != `{"redriven":1}` {
		t.Errorf("redrive: %d %s", code, body)
	}
	if got, _ := m.list(""); got != "eve guo" {
		t.Errorf("left are %q", got)
	}
	if code, body := m.ask(http.MethodDelete, "dead?notification=n-eve", ""); code != http.StatusOK || body != `{"dropped":1,"more":false}` {
		t.Errorf("drop all: %d %s", code, body)
	}
	if code, body := m.ask(http.MethodPost, "dead/redrive?channel=mail", "{}"); code != http.StatusOK || body != `{"redriven":1,"skipped":0,"more":false}` {
		t.Errorf("redrive all: %d %s", code, body)
	}
	if got, _ := m.list(""); got != "" {
		t.Errorf("left are %q", got)
	}
	testkit.Eventually(t, "what was redriven to be sent", func() bool {
		for _, r := range []string{"ann", "guo"} {
			list, _, err := m.queue.Timeline(t.Context(), "n-"+r)
			if err != nil || len(list) == 0 || list[len(list)-1].State != worker.Sent {
				return false
			}
		}
		return true
	})
}

// TestDeadFaults: what is wrong with a request is told by its part.
func TestDeadFaults(t *testing.T) {
	t.Parallel()
	m := newMorgue(t)
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{http.MethodGet, "dead?reason=sad", 400, "bad_reason"},
		{http.MethodGet, "dead?after=x", 400, "bad_after"},
		{http.MethodGet, "dead?limit=0", 400, "bad_limit"},
		{http.MethodGet, "dead?who=x", 400, "unknown_parameter"},
		{http.MethodPost, "dead/redrive?limit=1", 400, "unknown_parameter"},
		{http.MethodDelete, "dead?after=1", 400, "unknown_parameter"},
		{http.MethodGet, "dead/7", 404, "letter_unknown"},
		{http.MethodGet, "dead/0", 404, "letter_unknown"},
		{http.MethodGet, "dead/-1", 404, "letter_unknown"},
		{http.MethodPost, "dead/7/redrive", 404, "letter_unknown"},
		{http.MethodDelete, "dead/7", 404, "letter_unknown"},
		{http.MethodGet, "dead/7?x=1", 400, "unknown_parameter"},
	} {
		if status, body := m.ask(c.method, c.path, ""); status != c.status || !strings.Contains(body, `"code":"`+c.code+`"`) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, body, c.status, c.code)
		}
	}
}
