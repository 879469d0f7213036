package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/testkit"
	"tidings/shared/worker"
)

// TestNotifierKilled kills the notifier twice with half a batch accepted, while it tells
// others to twenty-five people each. What was accepted is told, once.
func TestNotifierKilled(t *testing.T) {
	t.Parallel()
	const all, batch, people, each = 60, 10, 50, 25
	broker, office := startNATS(t), newPostOffice(t).open()
	settings := mailFile(t, office)
	front := up(t, broker, "notifier", settings)
	rest := up(t, broker, "mailer", "edge", settings)
	c := newCrier(t, front.url)
	users := make([]string, people)
	for i := range users {
		users[i] = fmt.Sprintf("p%02d", i)
	}
	c.introduce(users)
	list, inboxes := make([]told, all), map[string][]string{}
	for i := range list {
		to := append(slices.Clone(users[i%people:]), users[:i%people]...)[:each]
		list[i] = told{id: fmt.Sprintf("k-%02d", i), user: to[0], others: to[1:]}
		for _, u := range to {
			inboxes[u] = append(inboxes[u], list[i].id)
		}
	}
	middles := make([]chan *nats.Msg, 2)
	nc := connect(t, broker.url())
	for i := range middles {
		middles[i] = make(chan *nats.Msg, 1)
		middle := list[(2*i+1)*batch+batch/2]
		if _, err := nc.ChanSubscribe(testkit.Space(t).Notification(middle.id, "*"), middles[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	wait := c.start(list, batch, 2)
	for _, stored := range middles {
		select {
		case <-stored:
		case <-time.After(testkit.Patience):
			t.Fatalf("%d notifications are accepted, and no more", c.accepted.Load())
		}
		front.kill()
		t.Logf("the notifier was killed with %d notifications accepted and %d mails sent", c.accepted.Load(), office.letters())
		front.start()
	}
	wait()
	if c.doubled.Load() == 0 {
		t.Error("it was never killed with half a batch accepted")
	}
	untilIdle(t, broker.url(), 3*testkit.Patience)
	t.Logf("%d batches were sent again, %d notifications were known then", c.repeated.Load(), c.doubled.Load())
	office.wantOnce(all * each)
	for user, want := range inboxes {
		got := inboxOf(t, rest.url, user)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("the inbox of %s has %v, want %v", user, got, want)
		}
		if mails := office.to(user); len(mails) != len(want) {
			t.Errorf("%s got %d mails, want %d", user, len(mails), len(want))
		}
	}
	queue, lost := attach(t, broker.url()), 0
	for _, n := range list {
		receipts, _, err := queue.Timeline(t.Context(), n.id)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range receipts {
			if r.Channel == "route" && r.State == worker.Sending && r.Unsure {
				lost++
			}
		}
	}
	t.Logf("%d jobs were in hand when the notifier died", lost)
	wantNoLetters(t, queue)
}

// wantNoLetters: nothing was given up.
func wantNoLetters(t testing.TB, q *worker.Queue) {
	t.Helper()
	page, err := q.List(t.Context(), worker.Filter{}, 0, worker.MaxLetters)
	if err != nil || len(page.Letters) > 0 {
		t.Errorf("letters: %+v, %v", page.Letters, err)
	}
}

// TestPostOfficeAway: the mail server is not there, then there, then goes away with the
// connections that are open. Mails wait, everybody can see that they do and why, and
// each arrives once.
func TestPostOfficeAway(t *testing.T) {
	t.Parallel()
	broker, office := startNATS(t), newPostOffice(t)
	node := up(t, broker, "notifier", "mailer", mailFile(t, office))
	c := newCrier(t, node.url)
	c.introduce([]string{"ann"})
	sent := 0
	tell := func(count int) (ids []string) {
		for range count {
			sent++
			ids = append(ids, fmt.Sprintf("o-%02d", sent))
			c.tell(told{id: ids[len(ids)-1], user: "ann"})
		}
		return ids
	}
	// seen returns the first timeline of some that shows a failed attempt.
	seen := func(ids []string) (out timelineOf) {
		testkit.Eventually(t, "a timeline with a failed attempt", func() bool {
			for _, id := range ids {
				if out = c.timeline(id); slices.ContainsFunc(out.Steps, func(s stepOf) bool { return s.What == "retry" && s.Channel == "mail" }) {
					return true
				}
			}
			return false
		})
		return out
	}
	until := func() {
		untilIdle(t, broker.url(), 3*testkit.Patience)
		office.wantOnce(sent)
	}

	// So many that the mailer leaves the server alone for a while.
	first := tell(20)
	tl := seen(first)
	i := slices.IndexFunc(tl.Steps, func(s stepOf) bool { return s.What == "retry" })
	if s := tl.Steps[i]; s.Attempt != 1 || !strings.HasPrefix(s.Detail, "provider post: connect: ") || s.Next.IsZero() {
		t.Errorf("the step of a failed attempt: %+v", s)
	}
	if s := tl.state("mail"); s == "sent" || s == "dead" {
		t.Errorf("the mail is %s", s)
	}
	if code, body := get(t, node.admin+"/readyz"); code != 200 {
		t.Errorf("without the mail server the mailer is not ready: %d %s", code, body)
	}
	office.open()
	began := time.Now()
	until()
	t.Logf("all mails had arrived %v after the mail server came", time.Since(began))
	for _, id := range first {
		if d := c.timeline(id); d.state("mail") != "sent" {
			t.Errorf("%s: %+v", id, d.Deliveries)
		}
	}

	office.close()
	seen(tell(2)) // too few for that
	office.open()
	began = time.Now()
	until()
	t.Logf("all mails had arrived %v after it came again", time.Since(began))
	wantNoLetters(t, attach(t, broker.url()))
}
