package notifier_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/services/notifier"
	"tidings/services/notifier/inbox"
	"tidings/shared/httpx"
)

// TestLargeInbox reads an inbox that no single answer can hold.
func TestLargeInbox(t *testing.T) {
	t.Parallel()
	var boxes *inbox.Store
	d := open(t, func(c *notifier.Config) { boxes = c.Inbox })
	const items = 30
	data := json.RawMessage(`{"html":"` + strings.Repeat("<&>", 20<<10) + `"}`)
	for n := range items {
		item := inbox.Item{ID: fmt.Sprint("n", n), Title: "x", Body: strings.Repeat("<p>", 10<<10), Data: data}
		if _, _, err := boxes.Put(t.Context(), "ann", item, false); err != nil {
			t.Fatal(err)
		}
	}
	// As the client reads: everything, page by page.
	for _, query := range []map[string]string{{"filter": "all", "limit": "100"}, {}, {"filter": "unread", "limit": "250"}} {
		got, pages := 0, 0
		for next := int64(0); pages == 0 || next > 0; pages++ {
			if next > 0 {
				query["before"] = strconv.FormatInt(next, 10)
			}
			var page notifier.InboxPage
			if err := d.ask("inbox", map[string]any{"user": "ann", "query": query}, &page); err != nil {
				t.Fatalf("%v: %v", query, err)
			}
			for _, e := range page.Items {
				if want := fmt.Sprint("n", items-1-got); e.ID != want || string(e.Data) != string(data) {
					t.Fatalf("%v: %s, want %s", query, e.ID, want)
				}
				got++
			}
			if page.Unread != items || page.Unseen != items {
				t.Errorf("%v: %d unread and %d unseen", query, page.Unread, page.Unseen)
			}
			next = page.Next
		}
		if got != items || pages < 7 {
			t.Errorf("%v: %d items in %d pages", query, got, pages)
		}
	}
}

// TestBadOperations has them refused with the part that is wrong.
func TestBadOperations(t *testing.T) {
	t.Parallel()
	var boxes *inbox.Store
	d := open(t, func(c *notifier.Config) { boxes = c.Inbox })
	if _, _, err := boxes.Put(t.Context(), "ann", inbox.Item{ID: "n1"}, false); err != nil {
		t.Fatal(err)
	}
	sleep := func(until time.Time) string {
		return `{"snoozed":[{"id":"n1","until":"` + until.Format(time.RFC3339) + `"}]}`
	}
	for _, c := range []struct{ ops, part string }{
		{sleep(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)), "snoozed"},
		{sleep(noon.Add(inbox.MaxSleep + time.Hour)), "snoozed"},
		{`{"READ":"all"}`, "READ"},
	} {
		err := d.ask("inbox-state", map[string]any{"user": "ann", "ops": json.RawMessage(c.ops)}, new(any))
		if p := httpx.ProblemOf(err, nil); err == nil || p.Status != http.StatusBadRequest || p.Code != "bad_operation" || p.Param != c.part {
			t.Errorf("%s: %v", c.ops, err)
		}
	}
	if err := d.ask("inbox-state", map[string]any{"user": "ann", "ops": json.RawMessage(sleep(noon.Add(inbox.MaxSleep)))}, new(any)); err != nil {
		t.Error(err)
	}
}
