package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"tidings/shared/testkit"
)

// TestPlanKilled kills everything, NATS too, while a notification waits for its time,
// a mail for the end of quiet hours, and some for a digest. All come when they are due,
// once.
func TestPlanKilled(t *testing.T) {
	t.Parallel()
	const (
		wait   = 12 * time.Second // of what waits for a time
		silent = 10               // seconds of silence after which the digest is sent
	)
	categories := filepath.Join(t.TempDir(), "categories.json")
	if err := os.WriteFile(categories, fmt.Appendf(nil, `{
		"orders": {"channels":["inbox","mail"]}, "default": {"channels":["inbox","mail"]},
		"comments": {"channels":["inbox","mail"],"digest":{"window_s":120,"debounce_s":%d}}
	}`, silent), 0o600); err != nil {
		t.Fatal(err)
	}
	nats, office := startNATS(t), newPostOffice(t).open()
	node := up(t, nats, "notifier", "mailer", "edge", mailFile(t, office, "categories = "+strconv.Quote(categories)))
	c := newCrier(t, node.url)
	c.introduce([]string{"ann", "bob", "eve"})

	// The quiet hours end with a minute, and not so soon that it could be before the kill.
	end := time.Now().UTC().Add(wait).Truncate(time.Minute).Add(time.Minute)
	quiet := fmt.Sprintf(`{"quiet_hours":[{"from":%q,"to":%q,"tz":"UTC"}]}`, end.Add(-time.Hour).Format("15:04"), end.Format("15:04"))
	if code, body := request(t, http.MethodPut, node.url+"/v1/preferences", quiet, "Authorization", "Bearer "+tokenOf(t, "bob")); code != http.StatusOK {
		t.Fatalf("preferences: %d %s", code, body)
	}
	at := time.Now().UTC().Add(wait).Truncate(time.Second)
	c.tell(told{id: "s-at", user: "ann", more: fmt.Sprintf(`,"at":%q`, at.Format(time.RFC3339))})
	c.tell(told{id: "s-quiet", user: "bob"})
	for i := range 3 {
		c.tell(told{id: fmt.Sprintf("s-digest-%d", i), user: "eve", category: "comments"})
	}
	collected := time.Now()
	testkit.Eventually(t, "everything to be planned", func() bool {
		return len(c.timeline("s-at").Planned) == 1 && c.timeline("s-quiet").state("mail") == "held" && c.timeline("s-digest-2").state("mail") == "digest"
	})
	if p := c.timeline("s-at").Planned[0]; p.What != "begin" || !p.At.Equal(at) {
		t.Errorf("the plan of the one that waits for its time: %+v, want begin at %v", p, at)
	}
	if n := office.letters(); n > 0 {
		t.Fatalf("%d mails were sent at once", n)
	}
	untilIdle(t, nats.url(), testkit.Patience)

	node.kill()
	nats.kill()
	nats.start(t)
	node.start()
	t.Logf("everything was killed and is back; due in %v, %v and %v", time.Until(at), time.Until(end), time.Until(collected.Add(silent*time.Second)))
	due := map[string]time.Time{"ann": at, "bob": end, "eve": collected.Add((silent - 1) * time.Second)}
	deadline := time.After(time.Until(end) + 2*testkit.Patience)
	for office.letters() < len(due) {
		select {
		case <-deadline:
			t.Fatalf("%d mails arrived, want %d; %v", office.letters(), len(due), office.kept)
		case <-time.After(50 * time.Millisecond):
		}
	}
	untilIdle(t, nats.url(), testkit.Patience)
	office.wantOnce(len(due))
	for user, when := range due {
		for _, l := range office.to(user) {
			t.Logf("%s was due at %v and got %q %v later", user, when.Format("15:04:05"), l.subject, l.at.Sub(when))
			if l.at.Before(when) {
				t.Errorf("the mail of %s came %v too early", user, when.Sub(l.at))
			}
		}
	}
	for user, want := range map[string][]string{
		"ann": {"s-at"}, "bob": {"s-quiet"}, "eve": {"s-digest-2", "s-digest-1", "s-digest-0"},
	} {
		if got := inboxOf(t, node.url, user); !slices.Equal(got, want) {
			t.Errorf("the inbox of %s has %v, want %v", user, got, want)
		}
	}
	for id, want := range map[string]string{"s-at": "sent", "s-quiet": "sent"} {
		if tl := c.timeline(id); tl.state("mail") != want || tl.state("inbox") != "delivered" || len(tl.Planned) > 0 {
			t.Errorf("%s: %+v", id, tl)
		}
	}
	wantNoLetters(t, attach(t, nats.url()))
}
