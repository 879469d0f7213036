package mailer_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/mailer/smtp/smtptest"
	"tidings/shared/testkit"
	"tidings/shared/worker"
	"tidings/shared/worker/backoff"
)

// ids returns how often each mail was taken, by Message-ID.
func ids(t *testing.T, servers ...*smtptest.Server) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, s := range servers {
		for _, m := range s.Mails() {
			head, _ := parse(t, []byte(m.Data))
			counts[head.Get("Message-ID")]++
		}
	}
	return counts
}

// TestAmbiguous loses the answer to a mail that was taken: it comes twice, the same to the
// byte, and not from somebody else.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	h, first, second := newHouse(t), server(t), server(t)
	first.Do(smtptest.Times(1, smtptest.Drop(smtptest.Kept)))
	h.run(h.config(first, second), testkit.Log(t))
	h.send(to("n1", "ann"), nil)
	if r := h.reach("n1", worker.Sent); !r.Unsure || r.Attempt != 2 {
		t.Errorf("%+v", r)
	}
	if mails := first.Mails(); len(mails) != 2 || mails[0].Data != mails[1].Data || len(second.Mails()) != 0 {
		t.Errorf("%+v", mails)
	}
}

// TestAmbiguousOnce rather loses a mail than sends it twice.
func TestAmbiguousOnce(t *testing.T) {
	t.Parallel()
	h, s := newHouse(t), server(t)
	s.Do(smtptest.Drop(smtptest.Kept))
	h.run(h.config(s), testkit.Log(t))
	h.send(to("n1", "ann"), func(j *worker.Job) { j.Once = true })
	if l := h.letter("n1"); l.Reason != worker.ReasonUnsure || !l.Unsure || len(s.Mails()) != 1 {
		t.Errorf("%+v, %d mails", l, len(s.Mails()))
	}
}

// TestAmbiguousDuplicates rather sends a mail twice than late.
func TestAmbiguousDuplicates(t *testing.T) {
	t.Parallel()
	h, first, second := newHouse(t), server(t), server(t)
	first.Do(smtptest.Drop(smtptest.Kept))
	h.run(h.config(first, second), testkit.Log(t))
	m := to("n1", "ann")
	m.Duplicates = true
	h.send(m, nil)
	if r := h.reach("n1", worker.Sent); r.Attempt != 1 || !strings.HasPrefix(r.Detail, "provider p2") {
		t.Errorf("%+v", r)
	}
}

// TestStaysAfterRestart has the second provider lose an answer while the first is away.
// Another process finds both well, and asks the second nevertheless.
func TestStaysAfterRestart(t *testing.T) {
	t.Parallel()
	h, first, second := newHouse(t), server(t), server(t)
	first.Stop()
	second.Do(smtptest.Drop(smtptest.Kept))
	cfg := h.config(first, second)
	cfg.Backoff = backoff.Bounds{Base: 2 * time.Second, Factor: 1, Max: 2 * time.Second}
	_, stop := h.run(cfg, testkit.Log(t))
	h.send(to("n1", "ann"), nil)
	testkit.Eventually(t, "an answer to be lost", func() bool { return h.last("n1").Unsure })
	stop()
	first.Start()
	second.Do(nil)
	h.run(cfg, testkit.Log(t))
	h.reach("n1", worker.Sent)
	if a, b := len(first.Mails()), len(second.Mails()); a != 0 || b < 2 {
		t.Errorf("%d mails by the first and %d by the second", a, b)
	}
}

// TestFailOver goes on in the order of the providers while the first is away, and comes
// back to it.
func TestFailOver(t *testing.T) {
	t.Parallel()
	h, first, second, third := newHouse(t), server(t), server(t), server(t)
	first.Stop()
	h.run(h.config(first, second, third), testkit.Log(t))
	for i := range 20 {
		h.send(to(fmt.Sprint("n", i), "ann"), nil)
	}
	for i := range 20 {
		h.reach(fmt.Sprint("n", i), worker.Sent)
	}
	if a, b, c := len(first.Mails()), len(second.Mails()), len(third.Mails()); a != 0 || b != 20 || c != 0 {
		t.Errorf("%d, %d, %d mails", a, b, c)
	}
	first.Start()
	testkit.Eventually(t, "the first provider to be used again", func() bool {
		id := fmt.Sprint("m", rand.Uint64())
		h.send(to(id, "ann"), nil)
		return strings.HasPrefix(h.reach(id, worker.Sent).Detail, "provider p1")
	})
}

// TestKilled cuts an attempt off while the server holds the mail, and another process
// goes on. Nothing is lost, and what may be there twice is known to be.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, place := range []string{smtptest.To, smtptest.End, smtptest.Kept} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			h, s := newHouse(t), server(t)
			reached, until := make(chan struct{}), make(chan struct{})
			once := sync.OnceFunc(func() { close(reached) })
			s.Do(func(at, _ string) *smtptest.Answer {
				if at != place {
					return nil
				}
				once()
				return &smtptest.Answer{Until: until, Drop: true}
			})
			cfg := h.config(s)
			cfg.Grace = time.Nanosecond
			_, kill := h.run(cfg, testkit.Log(t))
			h.send(to("n1", "ann"), nil)
			<-reached
			kill()
			close(until)
			s.Do(nil)
			h.run(cfg, testkit.Log(t))
			r := h.reach("n1", worker.Sent)
			if unsure := place != smtptest.To; r.Unsure != unsure {
				t.Errorf("%+v", r)
			}
			want := map[bool]int{true: 2, false: 1}[place == smtptest.Kept]
			if counts := ids(t, s); len(counts) != 1 || counts["<"+r.Key+"@example.com>"] != want {
				t.Errorf("%v", counts)
			}
		})
	}
}

// TestChaos has two providers fail in every way at random, for a while. All mails arrive,
// and none twice but for lost answers.
func TestChaos(t *testing.T) {
	t.Parallel()
	h, first, second := newHouse(t), server(t), server(t)
	var mu sync.Mutex
	random, ambiguous, faults := rand.New(rand.NewPCG(1, 2)), 0, 150
	plan := func(at, _ string) *smtptest.Answer {
		mu.Lock()
		defer mu.Unlock()
		if faults == 0 || random.IntN(8) > 0 {
			return nil
		}
		faults--
		switch random.IntN(4) {
		case 0:
			if at == smtptest.Kept || at == smtptest.End || at == smtptest.Body {
				ambiguous++
			}
			return &smtptest.Answer{Drop: true}
		case 1:
			if at != smtptest.Kept {
				return &smtptest.Answer{Code: 421, Text: "chaos"}
			}
		case 2:
			if at != smtptest.Kept {
				return &smtptest.Answer{Code: 451, Text: "chaos"}
			}
		}
		return nil
	}
	first.Do(plan)
	second.Do(plan)
	cfg := h.config(first, second)
	cfg.MaxAttempts = 1000
	_, stop := h.run(cfg, testkit.Log(t))
	const mails = 120
	for i := range mails {
		h.send(to(fmt.Sprint("n", i), fmt.Sprint("user", i)), nil)
		if i == mails/2 {
			stop() // politely this time
			_, stop = h.run(cfg, testkit.Log(t))
		}
	}
	for i := range mails {
		h.reach(fmt.Sprint("n", i), worker.Sent)
	}
	stop()
	counts, total := ids(t, first, second), 0
	for _, n := range counts {
		total += n
	}
	mu.Lock()
	defer mu.Unlock()
	if len(counts) != mails || total-mails > ambiguous {
		t.Errorf("%d of %d mails, %d copies, %d lost answers", len(counts), mails, total-mails, ambiguous)
	}
	t.Logf("%d copies, %d lost answers", total-mails, ambiguous)
}
