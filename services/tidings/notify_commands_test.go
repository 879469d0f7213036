package main_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"

	"tidings/shared/testkit"
	"tidings/shared/worker"
)

// TestNotifyUsage: what is asked for wrongly exits with 2 and says what would be right,
// whether NATS is there or not; what the notifier refuses exits with 1 and says why.
func TestNotifyUsage(t *testing.T) {
	t.Parallel()
	d := dev(t, t.TempDir())
	nowhere := "nats://" + address(freePort(t))
	alone := startNATS(t)
	up(t, alone, "edge")
	for _, c := range []struct {
		args []string
		nats string
		code int
		want string
	}{
		{[]string{"notify"}, nowhere, 2, "whom to tell"},
		{[]string{"notify", "ann"}, nowhere, 2, "a title"},
		{[]string{"notify", "ann", "Hi", "you"}, nowhere, 2, "a title"},
		{[]string{"notify", "ann", "Hi", "--with", "{"}, nowhere, 2, "--with is not JSON"},
		{[]string{"notify", "ann", "Hi", "--categry", "orders"}, nowhere, 2, "did you mean --category"},
		{[]string{"notify", "ann", "Hi"}, nowhere, 1, "NATS is away"},
		{[]string{"notify", "ann", "Hi"}, alone.url(), 1, "no notifier is running here"},
		{[]string{"notify", "nobody", "Hi"}, d.nats, 1, "nobody on file"},
		{[]string{"notify", "ann", "Hi", "--category", "nope"}, d.nats, 1, "category"},
		{[]string{"notify", "ann", "Hi", "--severity", "loud"}, d.nats, 1, "severity"},
		{[]string{"notify", "ann", "Hi", "--at", "yesterday"}, d.nats, 1, "at"},
		{[]string{"notify", "ann", "--template", "nope"}, d.nats, 1, "template"},
		{[]string{"notify", "ann", "--template", "order_shipped", "--with", "{}"}, d.nats, 1, "data."},
		{[]string{"notify", "topic:room.empty", "Hi"}, d.nats, 1, "no members"},
		{[]string{"notify", "--help"}, nowhere, 0, "--category"},
		{[]string{"dead"}, nowhere, 2, "ls, show, redrive, drop"},
		{[]string{"dead", "list"}, nowhere, 2, "ls, show, redrive, drop"},
		{[]string{"dead", "ls", "5"}, nowhere, 2, "ls, show, redrive, drop"},
		{[]string{"dead", "ls", "--reason", "nope"}, nowhere, 2, "attempts, permanent, unsure and malformed"},
		{[]string{"dead", "show"}, nowhere, 2, "numbers of letters"},
		{[]string{"dead", "show", "1", "2"}, nowhere, 2, "numbers of letters"},
		{[]string{"dead", "show", "x"}, nowhere, 2, `"x" is no number`},
		{[]string{"dead", "redrive"}, nowhere, 2, "--all"},
		{[]string{"dead", "drop", "1", "--all"}, nowhere, 2, "--all"},
		{[]string{"dead", "ls"}, nowhere, 1, "NATS is away"},
		{[]string{"dead", "show", "1"}, d.nats, 1, "no such dead letter"},
		{[]string{"dead", "redrive", "1"}, d.nats, 1, "no such dead letter"},
		{[]string{"dead", "drop", "1"}, d.nats, 1, "no such dead letter"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			out, log, code := run(t, spec{args: append(c.args, "--nats", c.nats)})
			if code != c.code || !strings.Contains(out+log, c.want) {
				t.Errorf("exit code %d, want %d; said %s%s, want %q in it", code, c.code, out, log, c.want)
			}
			if code != 0 && out != "" {
				t.Errorf("a failure wrote to standard output: %q", out)
			}
		})
	}
}

// commands runs commands against a process.
type commands struct {
	t testing.TB
	d *devProcess
}

// run runs one that must succeed silently and returns what it prints.
func (c commands) run(stdin string, args ...string) string {
	c.t.Helper()
	out, log, code := run(c.t, spec{args: append(args, "--nats", c.d.nats), stdin: stdin})
	if code != 0 || log != "" {
		c.t.Fatalf("%v: exit code %d, said %q and %q", args, code, out, log)
	}
	return out
}

// notify has something told and returns the notification's id.
func (c commands) notify(args ...string) string {
	c.t.Helper()
	id, rest, ok := strings.Cut(c.run("from the pipe", append([]string{"notify"}, args...)...), "\n")
	if !ok || id == "" || rest != "" {
		c.t.Fatalf("notify %v: it does not print one line", args)
	}
	return id
}

// letters returns the rows of "dead ls", each as its fields.
func (c commands) letters(args ...string) (rows [][]string) {
	c.t.Helper()
	lines := strings.Split(strings.TrimSuffix(c.run("", append([]string{"dead", "ls"}, args...)...), "\n"), "\n")
	if head := strings.Fields(lines[0]); !slices.Equal(head, []string{"NUMBER", "DIED", "CHANNEL", "RECIPIENT", "NOTIFICATION", "REASON", "TRIES", "ERROR"}) {
		c.t.Errorf("the head of the table is %v", head)
	}
	for _, line := range lines[1:] {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// untilLetters waits until there are so many.
func (c commands) untilLetters(n int, args ...string) (rows [][]string) {
	c.t.Helper()
	testkit.Eventually(c.t, "dead letters", func() bool { rows = c.letters(args...); return len(rows) == n })
	return rows
}

// TestNotifyAndDead goes around through a running process: people are told, what can't be
// delivered is looked at, tried again and dropped.
func TestNotifyAndDead(t *testing.T) {
	t.Parallel()
	var closed atomic.Bool
	office := newPostOffice(t).open()
	office.plan = func(at stage, of string, _ int) *trouble {
		if closed.Load() && at == atRcpt && of == "ann@example.com" {
			return refusal(550, smtp.EnhancedCode{5, 7, 1}, "not you")
		}
		return nil
	}
	d := dev(t, t.TempDir(), mailFile(t, office))
	c := commands{t, d}
	crier := &crier{t: t, url: d.url, tok: d.token}
	sent := func(n int) {
		t.Helper()
		testkit.Eventually(t, "mails to arrive", func() bool { return office.letters() >= n })
		untilIdle(t, d.nats, testkit.Patience)
		office.wantOnce(n)
	}

	id := c.notify("bob", "Hi", "--category", "orders")
	sent(1)
	testkit.Eventually(t, "the timeline to say so", func() bool { return crier.timeline(id).state("mail") == "sent" })
	if again := c.notify("ann", "Hi", "--category", "orders", "--body", "-", "--id", "mine"); again != "mine" {
		t.Errorf("the id is %q", again)
	}
	c.notify("ann", "Hi", "--category", "orders", "--body", "-", "--id", "mine")
	sent(2)
	c.notify("topic:room.ops,eve", "Hi", "--category", "orders") // dev, ann, bob and eve
	sent(6)
	later := c.notify("bob", "Hi", "--at", "1h", "--category", "orders")
	if p := crier.timeline(later).Planned; len(p) != 1 || p[0].What != "begin" {
		t.Errorf("the plan of one for later: %+v", p)
	}

	closed.Store(true)
	for _, id := range []string{"d1", "d2", "d3", "d4"} {
		c.notify("ann", "Hi", "--category", "orders", "--id", id)
	}
	rows := c.untilLetters(4)
	number := map[string]string{}
	for _, r := range rows {
		// NUMBER, DIED as date and time, CHANNEL, RECIPIENT, NOTIFICATION, REASON, TRIES, ERROR
		if len(r) < 9 || !slices.Equal(r[3:5], []string{"mail", "ann"}) || !slices.Equal(r[6:8], []string{"permanent", "1"}) ||
			strings.Join(r[8:], " ") != "provider post: RCPT: 550 5.7.1 not you" {
			t.Fatalf("row %q", r)
		}
		number[r[5]] = r[0]
	}
	for args, want := range map[string]int{"--channel mail": 4, "--channel sms": 0, "--notification d2": 1, "--reason attempts": 0, "--reason permanent": 4} {
		if got := c.letters(strings.Fields(args)...); len(got) != want {
			t.Errorf("dead ls %s: %d letters, want %d", args, len(got), want)
		}
	}
	var shown worker.Letter
	if err := json.Unmarshal([]byte(c.run("", "dead", "show", number["d1"])), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Job == nil || shown.Job.Notification != "d1" || shown.Reason != worker.ReasonPermanent || !strings.Contains(string(shown.Job.Payload), `"title": "Hi"`) {
		t.Errorf("dead show: %+v", shown)
	}
	if tl := crier.timeline("d1"); tl.state("mail") != "dead" || tl.state("inbox") != "delivered" {
		t.Errorf("the timeline of a dead one: %+v", tl.Deliveries)
	}

	if out := c.run("", "dead", "drop", number["d4"]); out != "" {
		t.Errorf("dead drop says %q", out)
	}
	c.untilLetters(3)
	closed.Store(false)
	if out := c.run("", "dead", "redrive", number["d1"], number["d2"]); out != "" {
		t.Errorf("dead redrive says %q", out)
	}
	sent(8)
	c.untilLetters(1)
	if tl := crier.timeline("d1"); tl.state("mail") != "sent" {
		t.Errorf("the timeline of one that was tried again: %+v", tl.Deliveries)
	}
	if out := c.run("", "dead", "redrive", "--all", "--reason", "attempts"); out != "0 redriven, 0 skipped\n" {
		t.Errorf("dead redrive --all --reason attempts says %q", out)
	}
	if out := c.run("", "dead", "redrive", "--all"); out != "1 redriven, 0 skipped\n" {
		t.Errorf("dead redrive --all says %q", out)
	}
	sent(9)
	closed.Store(true)
	c.notify("ann", "Hi", "--category", "orders", "--id", "d5")
	c.untilLetters(1)
	if out := c.run("", "dead", "drop", "--all"); out != "1 dropped\n" {
		t.Errorf("dead drop --all says %q", out)
	}
	c.untilLetters(0)
	if code, body := crier.ask(http.MethodGet, "/v1/notifications?limit=3", ""); code != http.StatusOK || !strings.Contains(body, `"d5"`) {
		t.Errorf("the list of notifications: %d %s", code, body)
	}
}

// TestMailLimits: the limits that are set hold mails to a person and to a domain, each as
// many as it says, and let critical ones pass.
func TestMailLimits(t *testing.T) {
	t.Parallel()
	office := newPostOffice(t).open()
	d := dev(t, t.TempDir(), mailFile(t, office, `mail_per_recipient = "1/24h"`, `mail_per_domain = "3/24h"`))
	c := commands{t, d}
	crier := &crier{t: t, url: d.url, tok: d.token}
	becomes := func(id, state, detail string) {
		t.Helper()
		testkit.Eventually(t, id+" to be "+state, func() bool {
			for _, of := range crier.timeline(id).Deliveries {
				if of.Channel == "mail" && of.State == state {
					return strings.Contains(of.Error, detail) && (state != "retry" || of.Attempts == 0)
				}
			}
			return false
		})
	}
	const limited = "too many mails to this recipient or its domain"
	for _, m := range []struct{ user, severity, state, detail string }{
		{"bob", "normal", "sent", ""},
		{"bob", "normal", "retry", limited},
		{"bob", "critical", "sent", ""},
		{"ann", "normal", "sent", ""},
		{"eve", "normal", "sent", ""},
		{"dev", "normal", "retry", limited},
	} {
		becomes(c.notify(m.user, "Hi", "--category", "orders", "--severity", m.severity), m.state, m.detail)
	}
	office.wantOnce(4)
}
