package main_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/auth"
	"tidings/shared/testkit"
	"tidings/shared/worker"
)

// mailFile writes the settings of a mailer that uses a post office, and of its
// notifier; more are further lines.
func mailFile(t testing.TB, office *postOffice, more ...string) (flag string) {
	t.Helper()
	lines := append([]string{
		"smtp = [" + strconv.Quote(office.url(8)) + "]", `mail_from = "Tidings <tidings@example.com>"`, `mail_retry = "500ms"`,
	}, more...)
	name := filepath.Join(t.TempDir(), "tidings.toml")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "--config=" + name
}

// tokenOf mints a token of a user; herald may notify.
func tokenOf(t testing.TB, user string) string {
	t.Helper()
	s, err := auth.Mint([]byte(secret), auth.Claims{User: user, Notify: user == herald, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// herald is who may notify.
const herald = "herald"

// crier sends notifications, in batches that it repeats until they are accepted.
type crier struct {
	t        testing.TB
	url, tok string
	accepted atomic.Int64
	repeated atomic.Int64 // batches that were sent more than once
	doubled  atomic.Int64 // notifications that were known already
}

func newCrier(t testing.TB, url string) *crier {
	t.Helper()
	return &crier{t: t, url: url, tok: tokenOf(t, herald)}
}

// ask asks with the crier's token.
func (c *crier) ask(method, path, body string) (int, string) {
	c.t.Helper()
	return request(c.t, method, c.url+path, body, "Authorization", "Bearer "+c.tok, "Content-Type", "application/json")
}

// want asks for something that must succeed, and decodes the answer.
func (c *crier) want(code int, method, path, body string, answer any) {
	c.t.Helper()
	got, text := c.ask(method, path, body)
	if got != code {
		c.t.Fatalf("%s %s: %d %s", method, path, got, text)
	}
	if answer != nil {
		decode(c.t, text, answer)
	}
}

// introduce puts people on file.
func (c *crier) introduce(users []string) {
	c.t.Helper()
	for len(users) > 0 {
		n := min(len(users), 1000)
		list := make([]string, n)
		for i, u := range users[:n] {
			list[i] = fmt.Sprintf(`{"user":%q,"name":"The user %s","email":%q}`, u, u, mailOf(u))
		}
		c.want(http.StatusOK, http.MethodPost, "/v1/people", "["+strings.Join(list, ",")+"]", nil)
		users = users[n:]
	}
}

// mailOf is a user's address.
func mailOf(user string) string { return user + "@example.net" }

// told is a notification.
type told struct {
	id, user string
	others   []string // who are told, too
	category string   // orders, if it is empty
	more     string   // further fields
}

// document is its JSON.
func (n told) document(t testing.TB) string {
	t.Helper()
	to, err := json.Marshal(append([]string{n.user}, n.others...))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"id":%q,"to":%s,"category":%q,"title":"News %s","body":"This is for %s."%s}`,
		n.id, to, cmp.Or(n.category, "orders"), n.id, n.user, n.more)
}

// post sends one batch until it is accepted.
func (c *crier) post(batch []told) error {
	list := make([]string, len(batch))
	for i, n := range batch {
		list[i] = n.document(c.t)
	}
	body := "[" + strings.Join(list, ",") + "]"
	deadline := time.Now().Add(2 * testkit.Patience)
	for tries := 1; ; tries++ {
		code, answer := c.ask(http.MethodPost, "/v1/notify", body)
		switch code {
		case http.StatusAccepted:
			if tries > 1 {
				c.repeated.Add(1)
			}
			return c.check(batch, answer)
		case 0, http.StatusServiceUnavailable: // nothing was promised: again
			if time.Now().After(deadline) {
				return fmt.Errorf("notifications were not accepted in time; last: %d %s", code, answer)
			}
			<-time.After(20 * time.Millisecond)
		default:
			return fmt.Errorf("notify: %d %s", code, answer)
		}
	}
}

// check checks the answer to a batch.
func (c *crier) check(batch []told, answer string) error {
	var list []struct {
		ID         string
		Recipients int
		Duplicate  bool
	}
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		return fmt.Errorf("%q: %w", answer, err)
	}
	if len(list) != len(batch) {
		return fmt.Errorf("%d answers to %d notifications", len(list), len(batch))
	}
	for i, a := range list {
		if a.ID != batch[i].id || a.Recipients != 1+len(batch[i].others) {
			return fmt.Errorf("%s was accepted as %+v", batch[i].id, a)
		}
		if a.Duplicate {
			c.doubled.Add(1)
		}
	}
	c.accepted.Add(int64(len(batch)))
	return nil
}

// start sends notifications in batches of a size, some batches at a time. The function
// it returns waits until all are accepted.
func (c *crier) start(all []told, size, atOnce int) (wait func()) {
	errs := make(chan error, atOnce)
	batches := make(chan []told, len(all)/size+1)
	for len(all) > 0 {
		n := min(len(all), size)
		batches <- all[:n]
		all = all[n:]
	}
	close(batches)
	var senders sync.WaitGroup
	for range atOnce {
		senders.Go(func() {
			for b := range batches {
				if err := c.post(b); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	return func() {
		c.t.Helper()
		senders.Wait()
		close(errs)
		for err := range errs {
			c.t.Error(err)
		}
		if c.t.Failed() {
			c.t.FailNow()
		}
	}
}

// tell has one notification accepted.
func (c *crier) tell(n told) {
	c.t.Helper()
	if err := c.post([]told{n}); err != nil {
		c.t.Fatal(err)
	}
}

// untilAccepted waits until so many notifications are accepted.
func (c *crier) untilAccepted(n int) {
	c.t.Helper()
	testkit.Eventually(c.t, "notifications to be accepted", func() bool { return c.accepted.Load() >= int64(n) })
}

// untilIdle waits until no job is left in the queue of an installation.
func untilIdle(t testing.TB, url string, patience time.Duration) {
	t.Helper()
	js, err := jetstream.New(connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		s, err := js.Stream(t.Context(), testkit.Space(t).Stream(worker.NameJobs))
		if err != nil {
			t.Fatal(err)
		}
		left := s.CachedInfo().State.Msgs
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d jobs are left in the queue:\n%s", left, describe(t, s))
		}
		<-time.After(100 * time.Millisecond)
	}
}

// describe says what the first jobs of the queue are, and how far its workers have come.
func describe(t testing.TB, s jetstream.Stream) string {
	t.Helper()
	var b strings.Builder
	consumers := s.ListConsumers(t.Context())
	for c := range consumers.Info() {
		fmt.Fprintf(&b, "%s: delivered %d (%d), acknowledged up to %d (%d), %d unanswered, %d again, %d pending, %d waiting\n",
			c.Name, c.Delivered.Stream, c.Delivered.Consumer, c.AckFloor.Stream, c.AckFloor.Consumer, c.NumAckPending, c.NumRedelivered, c.NumPending, c.NumWaiting)
	}
	state := s.CachedInfo().State
	for seq, shown := state.FirstSeq, 0; seq <= state.LastSeq && shown < 5; seq++ {
		if m, err := s.GetMsg(t.Context(), seq); err == nil {
			fmt.Fprintf(&b, "%d of %s: %s %v\n", seq, m.Time, m.Subject, m.Header)
			shown++
		}
	}
	return b.String()
}

// attach finds the queue of a running installation.
func attach(t testing.TB, url string) *worker.Queue {
	t.Helper()
	q, err := worker.Attach(t.Context(), testkit.Connect(t, url), testkit.Space(t))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// timelineOf is the JSON of GET /v1/notifications/:id, as far as tests look.
type timelineOf struct {
	Planned []struct {
		At   time.Time
		What string
	}
	Deliveries []struct {
		User, Channel, State, Reason, Error, Detail string
		At                                          time.Time
		Attempts                                    int
	}
	Steps []stepOf
}

// stepOf is one of its steps.
type stepOf struct {
	What, Channel, Detail string
	Attempt               int
	Next                  time.Time
}

// timeline asks for the timeline of a notification.
func (c *crier) timeline(id string) timelineOf {
	c.t.Helper()
	var tl timelineOf
	c.want(http.StatusOK, http.MethodGet, "/v1/notifications/"+id, "", &tl)
	return tl
}

// state returns what a timeline says of a channel, "" if nothing.
func (tl timelineOf) state(channel string) string {
	for _, d := range tl.Deliveries {
		if d.Channel == channel {
			return d.State
		}
	}
	return ""
}

// inbox returns the ids of a user's inbox, the newest first; edge is the URL of one.
func inboxOf(t testing.TB, edge, user string) []string {
	t.Helper()
	code, text := get(t, edge+"/v1/inbox?limit=100", "Authorization", "Bearer "+tokenOf(t, user))
	if code != http.StatusOK {
		t.Fatalf("the inbox of %s: %d %s", user, code, text)
	}
	var page struct{ Items []struct{ ID string } }
	decode(t, text, &page)
	ids := make([]string, len(page.Items))
	for i, it := range page.Items {
		ids[i] = it.ID
	}
	return ids
}
