package mailer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/mailer"
	"tidings/services/mailer/smtp"
	"tidings/services/mailer/smtp/smtptest"
	"tidings/shared/ledger"
	"tidings/shared/notice"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
	"tidings/shared/testkit"
	"tidings/shared/worker"
	"tidings/shared/worker/backoff"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// house is a NATS with everything that a mailer needs.
type house struct {
	t      *testing.T
	queue  *worker.Queue
	ledger *ledger.Ledger
	list   *suppress.List
}

func newHouse(t *testing.T) *house {
	t.Helper()
	conn, space := testkit.NATS(t), testkit.Space(t)
	h := &house{t: t}
	var err error
	limits := worker.DefaultLimits()
	limits.JobBytes, limits.ReceiptBytes, limits.DeadBytes, limits.Replicas = 64<<20, 64<<20, 64<<20, 1
	if h.queue, err = worker.Open(t.Context(), conn, space, limits); err != nil {
		t.Fatal(err)
	}
	notes := ledger.DefaultLimits()
	notes.Bytes, notes.Replicas = 64<<20, 1
	if h.ledger, err = ledger.Open(t.Context(), conn, space, notes); err != nil {
		t.Fatal(err)
	}
	if h.list, err = suppress.Open(t.Context(), conn, space, 1); err != nil {
		t.Fatal(err)
	}
	return h
}

// config is for tests: attempts follow each other at once.
func (h *house) config(servers ...*smtptest.Server) mailer.Config {
	cfg := basic(h.t)
	cfg.Suppressed, cfg.Providers = h.list, nil
	for i, s := range servers {
		cfg.Providers = append(cfg.Providers, s.URL(fmt.Sprintf("tls=none&name=p%d", i+1)))
	}
	cfg.Backoff = backoff.Bounds{Base: 5 * time.Millisecond, Factor: 1, Max: 5 * time.Millisecond}
	cfg.SendTimeout, cfg.AckWait, cfg.Grace = 20*time.Second, 3*time.Second, 5*time.Second
	cfg.Sending = smtp.Config{Patience: 50 * time.Millisecond, Failures: 3, OpenFor: 100 * time.Millisecond, SlowFirst: 5 * time.Millisecond, SlowMost: 20 * time.Millisecond}
	return cfg
}

// run runs a mailer until stop is called, or the test ends.
func (h *house) run(cfg mailer.Config, log *slog.Logger) (m *mailer.Mailer, stop func()) {
	h.t.Helper()
	m, err := mailer.New(cfg, h.queue, h.ledger, log, prometheus.NewRegistry())
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := m.Run(ctx); err != nil {
			h.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); ended.Wait() })
	h.t.Cleanup(stop)
	return m, stop
}

// send queues a mail; change may change the job.
func (h *house) send(m notice.Message, change func(*worker.Job)) {
	h.t.Helper()
	payload, err := m.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	j := worker.Job{Notification: m.Notification, Channel: mailer.Channel, Recipient: m.Person.User, Payload: payload}
	if change != nil {
		change(&j)
	}
	if _, err := h.queue.Enqueue(h.t.Context(), j); err != nil {
		h.t.Fatal(err)
	}
}

// last returns the last receipt of a notification with one job.
func (h *house) last(id string) worker.Receipt {
	h.t.Helper()
	list, _, err := h.queue.Timeline(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(list) == 0 {
		return worker.Receipt{}
	}
	return list[len(list)-1]
}

// reach waits until a job has come to a state.
func (h *house) reach(id string, want worker.State) worker.Receipt {
	h.t.Helper()
	testkit.Eventually(h.t, fmt.Sprintf("%s to be %s", id, want), func() bool {
		s := h.last(id).State
		if s != want && (s == worker.Dead || s == worker.Sent || s == worker.Expired) {
			h.t.Fatalf("%s: %+v, want %s", id, h.last(id), want)
		}
		return s == want
	})
	return h.last(id)
}

// letter returns the dead letter of a notification.
func (h *house) letter(id string) worker.Letter {
	h.t.Helper()
	h.reach(id, worker.Dead)
	letters, err := h.queue.List(h.t.Context(), worker.Filter{Notification: id}, 0, 100)
	if err != nil || len(letters.Letters) != 1 {
		h.t.Fatalf("%+v, %v", letters, err)
	}
	return letters.Letters[0]
}

func server(t *testing.T) *smtptest.Server {
	t.Helper()
	return smtptest.New(t, smtptest.Options{NoTLS: true})
}

// to is a message to somebody.
func to(id, user string) notice.Message {
	return notice.Message{
		Notification: id, Category: "orders", Title: "Hello", Body: "It is here.",
		Person: notice.Person{User: user, Name: user, Email: user + "@example.org"},
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	h, s := newHouse(t), server(t)
	m, _ := h.run(h.config(s), testkit.Log(t))
	testkit.Eventually(t, "readiness", func() bool { return m.Ready(t.Context()) == nil })
	h.send(to("n1", "ann"), nil)
	r := h.reach("n1", worker.Sent)
	if !strings.HasPrefix(r.Detail, "provider p1: ") || r.Recipient != "ann" {
		t.Errorf("%+v", r)
	}
	mails := s.Mails()
	if len(mails) != 1 || mails[0].To != "ann@example.org" || mails[0].From != "news@example.com" {
		t.Fatalf("%+v", mails)
	}
	head, _ := parse(t, []byte(mails[0].Data))
	if head.Get("Message-ID") != "<"+r.Key+"@example.com>" || head.Get("Subject") != "Hello" {
		t.Errorf("%v", head)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	h, s := newHouse(t), server(t)
	h.run(h.config(s), testkit.Log(t))
	h.send(to("n1", "ann"), func(j *worker.Job) { j.Payload = []byte(`{"notification":"n1"}`) })
	bad := to("n2", "ann")
	bad.Person.Email = "ann at example.org"
	h.send(bad, nil)
	bad = to("n3", "ann")
	bad.Template = "no such"
	h.send(bad, nil)
	for _, id := range []string{"n1", "n2", "n3"} {
		if l := h.letter(id); l.Reason != worker.ReasonPermanent || l.Attempts != 1 || strings.Contains(l.Error, "ann at") {
			t.Errorf("%+v", l)
		}
	}
	if len(s.Mails()) != 0 {
		t.Error("a mail was sent")
	}
}

func TestSuppressed(t *testing.T) {
	t.Parallel()
	h, s := newHouse(t), server(t)
	add := func(user string, e suppress.Entry) {
		t.Helper()
		if err := h.list.Add(t.Context(), suppress.ChannelMail, user+"@example.org", e); err != nil {
			t.Fatal(err)
		}
	}
	add("ann", suppress.Entry{Cause: suppress.Unsubscribed})
	add("bob", suppress.Entry{Cause: suppress.Unsubscribed, Category: "orders"})
	add("cid", suppress.Entry{Cause: suppress.Bounced})
	h.run(h.config(s), testkit.Log(t))
	for i, c := range []struct {
		user, category string
		transactional  bool
		stopped        string // why, "" if not
	}{
		{"ann", "orders", false, "unsubscribed"},
		{"ann", "", true, ""},
		{"bob", "orders", false, "unsubscribed"},
		{"bob", "news", false, ""},
		{"cid", "", true, "bounced"},
		{"dan", "orders", false, ""},
	} {
		id := fmt.Sprint("n", i)
		m := to(id, c.user)
		m.Category, m.Transactional = c.category, c.transactional
		h.send(m, nil)
		if c.stopped == "" {
			h.reach(id, worker.Sent)
			continue
		}
		if l := h.letter(id); l.Reason != worker.ReasonPermanent || !strings.Contains(l.Error, "suppressed: "+c.stopped) {
			t.Errorf("%+v: %+v", c, l)
		}
	}
	if n := len(s.Mails()); n != 3 {
		t.Errorf("%d mails", n)
	}
}

// TestSuppressedBetweenAttempts takes no for an answer also while a mail waits.
func TestSuppressedBetweenAttempts(t *testing.T) {
	t.Parallel()
	h, s := newHouse(t), server(t)
	s.Do(smtptest.Fail(smtptest.To, 450))
	cfg := h.config(s)
	cfg.MaxAttempts = 1000
	h.run(cfg, testkit.Log(t))
	h.send(to("n1", "ann"), nil)
	h.reach("n1", worker.Retry)
	if err := h.list.Add(t.Context(), suppress.ChannelMail, "ANN@example.org", suppress.Entry{Cause: suppress.Complained}); err != nil {
		t.Fatal(err)
	}
	if l := h.letter("n1"); !strings.Contains(l.Error, "suppressed: complained") {
		t.Errorf("%+v", l)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	h, s := newHouse(t), server(t)
	h.run(h.config(s), testkit.Log(t))
	s.Do(func(at, arg string) *smtptest.Answer {
		switch {
		case at == smtptest.To && strings.HasPrefix(arg, "gone"):
			return &smtptest.Answer{Code: 550, Enhanced: [3]int{5, 1, 1}, Text: "no such user " + arg}
		case at == smtptest.To && strings.HasPrefix(arg, "bare"):
			return &smtptest.Answer{Code: 550, Text: "we don't like you"}
		case at == smtptest.End && strings.HasPrefix(arg, "spam"):
			return &smtptest.Answer{Code: 554, Enhanced: [3]int{5, 7, 1}, Text: "spam"}
		}
		return nil
	})
	if _, _, err := h.ledger.Put(t.Context(), "n-gone", ledger.Entry{Kind: ledger.KindRequest, Part: "request"}); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"gone", "gone2", "bare", "spam"} {
		h.send(to("n-"+user, user), nil)
		l := h.letter("n-" + user)
		if l.Reason != worker.ReasonPermanent || l.Attempts != 1 || !strings.HasPrefix(l.Error, "provider p1: ") || strings.Contains(l.Error, "@example.org") {
			t.Errorf("%+v", l)
		}
		entries, err := h.list.Of(t.Context(), suppress.ChannelMail, user+"@example.org")
		if err != nil || len(entries) > 0 != strings.HasPrefix(user, "gone") {
			t.Errorf("%s: %+v, %v", user, entries, err)
		}
	}
	testkit.Eventually(t, "the bounce to be noted", func() bool {
		notes, _, err := h.ledger.Read(t.Context(), "n-gone")
		return err == nil && len(notes) == 2 && notes[1].Kind == ledger.KindNote && notes[1].Reason == "bounced" && notes[1].User == "gone"
	})
	if _, _, err := h.ledger.Read(t.Context(), "n-gone2"); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("a timeline that has aged out is back: %v", err)
	}
	if n := len(s.Mails()); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestRetried(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]smtptest.Plan{
		"450": smtptest.Fail(smtptest.To, 450), "451": smtptest.Fail(smtptest.End, 451), "421": smtptest.Fail(smtptest.From, 421),
		"lost": smtptest.Drop(smtptest.To), "greeting": smtptest.Fail(smtptest.Hello, 554),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, s := newHouse(t), server(t)
			s.Do(smtptest.Times(4, plan))
			h.run(h.config(s), testkit.Log(t))
			h.send(to("n1", "ann"), nil)
			if r := h.reach("n1", worker.Sent); r.Unsure {
				t.Errorf("%+v", r)
			}
			if n := len(s.Mails()); n != 1 {
				t.Errorf("%d mails", n)
			}
		})
	}
}

// TestHeld: mails to one domain wait for their turn without using up attempts, and without
// holding back mails to another.
func TestHeld(t *testing.T) {
	t.Parallel()
	h, s := newHouse(t), server(t)
	cfg := h.config(s)
	cfg.PerDomain = smtp.Limit{Every: 600 * time.Millisecond, Burst: 1}
	cfg.Sending.Turn, cfg.MaxAttempts, cfg.Concurrency = time.Millisecond, 1, 1
	const count = 4
	for i := range count {
		h.send(to(fmt.Sprintf("n%d", i), "ann"), nil)
	}
	other := to("other", "bob")
	other.Person.Email = "bob@example.net"
	h.send(other, nil)
	h.run(cfg, testkit.Log(t))
	h.reach("other", worker.Sent)
	if n := len(s.Mails()); n >= count {
		t.Errorf("the other mail is number %d", n)
	}
	for i := range count {
		if r := h.reach(fmt.Sprintf("n%d", i), worker.Sent); r.Attempt != 1 {
			t.Errorf("%+v", r)
		}
	}
	if n := len(s.Mails()); n != count+1 {
		t.Errorf("%d mails", n)
	}
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	h, s := newHouse(t), server(t)
	s.Do(smtptest.Fail(smtptest.To, 450, 4, 2, 1))
	cfg := h.config(s)
	cfg.MaxAttempts = 3
	h.run(cfg, testkit.Log(t))
	h.send(to("n1", "ann"), nil)
	if l := h.letter("n1"); l.Reason != worker.ReasonAttempts || l.Attempts != 3 || l.Unsure {
		t.Errorf("%+v", l)
	}
}

// TestSecrets logs in with a wrong password, and looks for it everywhere.
func TestSecrets(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := smtptest.New(t, smtptest.Options{Login: true})
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	log := slog.New(slog.NewJSONHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := h.config()
	cfg.Providers = []telemetry.Secret{telemetry.Secret(strings.Replace(string(s.URL("")), "hunter2", "hunter3", 1))}
	cfg.Roots, cfg.MaxAttempts = s.Roots(), 2
	log.Info("configured", "mail", cfg)
	_, stop := h.run(cfg, log)
	h.send(to("n1", "ann"), nil)
	l := h.letter("n1")
	stop()
	logged, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(logged) + fmt.Sprintf("%+v", l.Error); strings.Contains(text, "hunter") || strings.Contains(text, "ann@") || len(logged) == 0 {
		t.Errorf("a secret is told: %s", text)
	}
}
