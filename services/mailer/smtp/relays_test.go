package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/mailer/smtp"
	"tidings/services/mailer/smtp/smtptest"
	"tidings/shared/testkit"
)

func TestSend(t *testing.T) {
	t.Parallel()
	s, url := plain(t, "main", nil)
	r, reg := relays(t, quick(), url)
	got := r.Send(t.Context(), mail("ann@example.org"))
	if got.Verdict != smtp.Sent || got.Provider != "main" || got.Err != nil || got.Answer == "" {
		t.Fatalf("%+v", got)
	}
	mails := s.Mails()
	if len(mails) != 1 || mails[0].From != "bounce@example.com" || mails[0].To != "ann@example.org" || mails[0].Data != letter {
		t.Errorf("%+v", mails)
	}
	if n := sum(t, reg, "tidings_mail_answers_total", "main", "sent"); n != 1 {
		t.Errorf("counted %v", n)
	}
}

// TestAnswers has each code at each place, on one connection where that goes on.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, place := range []string{smtptest.From, smtptest.To, smtptest.Body, smtptest.End} {
		for code, want := range map[int]smtp.Verdict{
			450: smtp.Deferred, 451: smtp.Deferred, 421: smtp.Deferred, 550: smtp.Refused, 554: smtp.Refused,
		} {
			t.Run(fmt.Sprint(place, code), func(t *testing.T) {
				t.Parallel()
				s, url := plain(t, "main", smtptest.Times(1, smtptest.Fail(place, code)))
				cfg := quick()
				cfg.Patience, cfg.SlowFirst, cfg.SlowMost = time.Nanosecond, time.Millisecond, time.Millisecond
				r, _ := relays(t, cfg, url)
				got := r.Send(t.Context(), mail("ann@example.org"))
				var e *smtp.Error
				if got.Verdict != want || !errors.As(got.Err, &e) || e.Code != code || e.Provider != "main" || !strings.Contains(e.Text, "as planned") {
					t.Fatalf("%+v, want %s", got, want)
				}
				if len(s.Mails()) != 0 {
					t.Fatal("taken nevertheless")
				}
				testkit.Eventually(t, "the next mail to be sent", func() bool {
					return r.Send(t.Context(), mail("bob@example.org")).Verdict == smtp.Sent
				})
				if n, most := s.Conns(), map[bool]int{true: 2, false: 1}[code == 421]; n > most {
					t.Errorf("%d connections, at most %d", n, most)
				}
			})
		}
	}
}

func TestAnswerToDATA(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]smtp.Verdict{
		"451 later": smtp.Deferred, "554 never": smtp.Refused, "250 what": smtp.Deferred, "421 bye": smtp.Deferred,
	} {
		r, _ := relays(t, quick(), script(t, map[string]string{"DATA": answer}))
		got := r.Send(t.Context(), mail("ann@example.org"))
		var e *smtp.Error
		if got.Verdict != want || !errors.As(got.Err, &e) || e.Stage != smtp.Data {
			t.Errorf("%s: %+v", answer, got)
		}
	}
}

// TestLost loses the connection at each place: before the mail it is known that nobody has
// it, after it began nothing is.
func TestLost(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]smtp.Verdict{
		smtptest.Hello: smtp.Sent, smtptest.From: smtp.Sent, smtptest.To: smtp.Sent,
		smtptest.Body: smtp.Unsure, smtptest.End: smtp.Unsure, smtptest.Kept: smtp.Unsure,
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			first, one := plain(t, "one", smtptest.Drop(place))
			second, two := plain(t, "two", nil)
			r, _ := relays(t, quick(), one, two)
			got := r.Send(t.Context(), mail("ann@example.org"))
			if got.Verdict != want {
				t.Fatalf("%+v, want %s", got, want)
			}
			provider, taken := "two", 1
			if want == smtp.Unsure {
				provider, taken = "one", 0
			}
			if got.Provider != provider || len(second.Mails()) != taken {
				t.Errorf("%+v, and the second has %d", got, len(second.Mails()))
			}
			if n := len(first.Mails()); n > 0 != (place == smtptest.Kept) {
				t.Errorf("the first has %d", n)
			}
		})
	}
}

// TestHalfMail makes sure that a mail that is cut off is not ended by what is said after.
func TestHalfMail(t *testing.T) {
	t.Parallel()
	until := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, url := plain(t, "main", func(at, _ string) *smtptest.Answer {
		if at != smtptest.Begun {
			return nil
		}
		cancel() // the mail has begun, and can't end before until is closed
		return &smtptest.Answer{Until: until}
	})
	r, _ := relays(t, quick(), url)
	m := mail("ann@example.org")
	m.Data = []byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1<<18)) // more than the sockets hold
	if got := r.Send(ctx, m); got.Verdict != smtp.Unsure {
		t.Errorf("%+v", got)
	}
	close(until)
	s.Do(nil)
	if got := r.Send(t.Context(), mail("bob@example.org")); got.Verdict != smtp.Sent {
		t.Errorf("%+v", got)
	}
	if mails := s.Mails(); len(mails) != 1 || mails[0].To != "bob@example.org" {
		t.Errorf("a torso was delivered: %d mails", len(mails))
	}
}

func TestUnsure(t *testing.T) {
	t.Parallel()
	_, one := plain(t, "one", smtptest.Drop(smtptest.Kept))
	second, two := plain(t, "two", nil)
	r, _ := relays(t, quick(), one, two)
	m := mail("ann@example.org")
	m.Duplicates = true
	if got := r.Send(t.Context(), m); got.Verdict != smtp.Sent || got.Provider != "two" {
		t.Errorf("twice is better than never: %+v", got)
	}
	m.Duplicates, m.Only = false, "one"
	if got := r.Send(t.Context(), m); got.Verdict != smtp.Unsure || len(second.Mails()) != 1 {
		t.Errorf("it left the provider that may have it: %+v", got)
	}
	m.Only = "gone"
	if got := r.Send(t.Context(), m); got.Verdict != smtp.Unsure || got.Provider != "one" {
		t.Errorf("a provider that isn't configured any more: %+v", got)
	}
}

// TestUnsureThenRefused: what the first may have done is not undone by what the second says.
func TestUnsureThenRefused(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]smtp.Verdict{554: smtp.Unsure, 451: smtp.Unsure} {
		_, one := plain(t, "one", smtptest.Drop(smtptest.Kept))
		_, two := plain(t, "two", smtptest.Fail(smtptest.To, code))
		r, _ := relays(t, quick(), one, two)
		m := mail("ann@example.org")
		m.Duplicates = true
		if got := r.Send(t.Context(), m); got.Verdict != want || got.Provider != "one" {
			t.Errorf("%d: %+v", code, got)
		}
	}
}

func TestFailOver(t *testing.T) {
	t.Parallel()
	first, one := plain(t, "one", nil)
	second, two := plain(t, "two", nil)
	third, three := plain(t, "three", nil)
	r, reg := relays(t, quick(), one, two, three)
	send := func(want string) {
		t.Helper()
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent || got.Provider != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	send("one")
	first.Do(smtptest.Fail(smtptest.From, 451, 4, 3, 0))
	send("two")
	second.Do(smtptest.Drop(smtptest.To))
	send("three")
	first.Do(nil)
	send("one") // an answer about one mail says nothing about the next
	if n := sum(t, reg, "tidings_mail_failovers_total"); n != 3 {
		t.Errorf("%v fail-overs", n)
	}
	first.Do(smtptest.Fail(smtptest.To, 550, 5, 1, 1))
	if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Refused {
		t.Errorf("no is no, wherever: %+v", got)
	}
	if len(second.Mails())+len(third.Mails()) != 2 {
		t.Error("a refused mail was offered to others")
	}
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.Failures, cfg.OpenFor = 3, 100*time.Millisecond
	first, one := plain(t, "one", nil)
	second, two := plain(t, "two", nil)
	first.Stop()
	r, reg := relays(t, cfg, one, two)
	for range 3 {
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Provider != "two" {
			t.Fatalf("%+v", got)
		}
	}
	if n := sum(t, reg, "tidings_mail_breaker_open", "one"); n != 1 {
		t.Errorf("the breaker is %v after three failures", n)
	}
	faults := sum(t, reg, "tidings_mail_answers_total", "one", "fault")
	r.Send(t.Context(), mail("ann@example.org"))
	if n := sum(t, reg, "tidings_mail_answers_total", "one", "fault"); n != faults && n != faults+1 { // it may be tried out by now
		t.Errorf("%v faults, after %v", n, faults)
	}
	first.Start()
	testkit.Eventually(t, "the first provider to be used again", func() bool {
		return r.Send(t.Context(), mail("ann@example.org")).Provider == "one"
	})
	if n := sum(t, reg, "tidings_mail_breaker_open", "one"); n != 0 || len(second.Mails()) < 4 {
		t.Errorf("the breaker is %v after it healed", n)
	}
}

// TestOutage waits in the attempt while nobody takes mail, and gives it back after.
func TestOutage(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.Failures, cfg.OpenFor = 1, 300*time.Millisecond
	s, url := plain(t, "main", nil)
	s.Stop()
	r, _ := relays(t, cfg, url)
	if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Deferred || got.Provider != "main" {
		t.Errorf("%+v", got)
	}
	if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Deferred || got.Provider != "" || got.After <= 0 {
		t.Errorf("%+v", got)
	}
	s.Start()
	cfg.Patience = testkit.Patience
	r, _ = relays(t, cfg, url)
	s.Stop()
	r.Send(t.Context(), mail("ann@example.org"))
	s.Start()
	if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
		t.Errorf("it did not wait for the provider: %+v", got)
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	for _, plan := range []smtptest.Plan{
		smtptest.Fail(smtptest.From, 421, 4, 7, 28), smtptest.Fail(smtptest.From, 454), smtptest.Fail(smtptest.To, 450, 4, 7, 1),
	} {
		first, one := plain(t, "one", smtptest.Times(1, plan))
		_, two := plain(t, "two", nil)
		cfg := quick()
		r, reg := relays(t, cfg, one, two)
		for range 5 { // the mail is not held up, and the first is left alone
			if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent || got.Provider != "two" {
				t.Errorf("%+v", got)
			}
		}
		if n := sum(t, reg, "tidings_mail_answers_total", "one", "slowed"); n != 1 || sum(t, reg, "tidings_mail_breaker_open") != 0 {
			t.Errorf("slowed %v times", n)
		}
		r, _ = relays(t, cfg, one)
		first.Do(smtptest.Times(1, plan))
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Deferred || got.After < 59*time.Minute {
			t.Errorf("with one provider the mail waits for it: %+v", got)
		}
		cfg.Patience, cfg.SlowFirst = testkit.Patience, 10*time.Millisecond
		r, _ = relays(t, cfg, one)
		first.Do(smtptest.Times(3, plan))
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
			t.Errorf("a short pause is waited for: %+v", got)
		}
	}
}

// TestBusy has a server that is too busy to talk.
func TestBusy(t *testing.T) {
	t.Parallel()
	r, reg := relays(t, quick(), script(t, map[string]string{"": "421 4.3.2 busy"}))
	if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Deferred || got.After < 59*time.Minute {
		t.Errorf("%+v", got)
	}
	if n := sum(t, reg, "tidings_mail_answers_total", "slowed"); n != 1 {
		t.Errorf("slowed %v times", n)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.Recipient, cfg.Domain = smtp.Limit{Every: time.Hour, Burst: 2}, smtp.Limit{Every: time.Minute, Burst: 3}
	s, url := plain(t, "main", nil)
	r, reg := relays(t, cfg, url)
	send := func(to string, want smtp.Verdict, least time.Duration) {
		t.Helper()
		if got := r.Send(t.Context(), mail(to)); got.Verdict != want || got.After < least {
			t.Errorf("%s: %+v", to, got)
		}
	}
	send("ann@example.org", smtp.Sent, 0)
	send("Ann@Example.org", smtp.Sent, 0)
	send("ann@example.org", smtp.Held, 59*time.Minute)
	send("bob@example.org", smtp.Sent, 0)
	send("cid@example.org", smtp.Held, 59*time.Second)
	send("cid@example.net", smtp.Sent, 0)
	urgent := mail("ann@example.org")
	urgent.Urgent = true
	if got := r.Send(t.Context(), urgent); got.Verdict != smtp.Sent {
		t.Errorf("%+v", got)
	}
	if by := sum(t, reg, "tidings_mail_limited_total", "domain"); by != 1 || len(s.Mails()) != 5 {
		t.Errorf("limited %v times, %d mails", by, len(s.Mails()))
	}
}

func TestProviderRate(t *testing.T) {
	t.Parallel()
	first, one := plain(t, "one", nil)
	_, two := plain(t, "two", nil)
	cfg := quick()
	r, _ := relays(t, cfg, one+"&rate=0.001", two)
	for _, want := range []string{"one", "two", "two"} {
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Provider != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	cfg.Patience = testkit.Patience
	r, _ = relays(t, cfg, one+"&rate=50")
	began := time.Now()
	for range 6 {
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
			t.Errorf("%+v", got)
		}
	}
	if took := time.Since(began); took < 90*time.Millisecond {
		t.Errorf("six mails at 50 a second took %v", took)
	}
	if len(first.Mails()) != 7 {
		t.Errorf("%d mails", len(first.Mails()))
	}
}

func TestPool(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.Patience = testkit.Patience
	s, url := plain(t, "main", nil)
	r, reg := relays(t, cfg, url+"&conns=3&messages=10")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 12 {
				if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
					t.Errorf("%+v", got)
				}
			}
		})
	}
	all.Wait()
	if n := len(s.Mails()); n != 96 {
		t.Errorf("%d mails", n)
	}
	if n := s.Conns(); n < 10 || n > 13 {
		t.Errorf("%d connections for 96 mails, ten each", n)
	}
	if n := sum(t, reg, "tidings_mail_connections", "free"); n > 3 {
		t.Errorf("%v connections are kept", n)
	}
}

// TestStale uses a connection that the server has closed meanwhile.
func TestStale(t *testing.T) {
	t.Parallel()
	s, url := plain(t, "main", nil)
	r, reg := relays(t, quick(), url)
	for i := range 3 {
		if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
			t.Fatalf("%+v", got)
		}
		if i < 2 {
			s.Stop()
			s.Start()
		}
	}
	s.Do(smtptest.Times(1, smtptest.Fail(smtptest.From, 421, 4, 4, 2))) // as some say first
	if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
		t.Errorf("%+v", got)
	}
	if n := sum(t, reg, "tidings_mail_answers_total", "sent"); n != 4 || sum(t, reg, "tidings_mail_answers_total") != 4 {
		t.Errorf("counted %v", n)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.IdleTimeout = 20 * time.Millisecond
	_, url := plain(t, "main", nil)
	r, reg := relays(t, cfg, url)
	if got := r.Send(t.Context(), mail("ann@example.org")); got.Verdict != smtp.Sent {
		t.Fatalf("%+v", got)
	}
	testkit.Eventually(t, "the idle connection to be closed", func() bool {
		return sum(t, reg, "tidings_mail_connections") == 0
	})
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]smtp.Verdict{
		smtptest.Hello: smtp.Deferred, smtptest.From: smtp.Deferred, smtptest.To: smtp.Deferred, smtptest.End: smtp.Unsure,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		until := make(chan struct{})
		_, url := plain(t, "main", func(at, _ string) *smtptest.Answer {
			if at != place {
				return nil
			}
			cancel()
			return &smtptest.Answer{Until: until}
		})
		cfg := quick()
		cfg.Failures = 1
		r, reg := relays(t, cfg, url)
		if got := r.Send(ctx, mail("ann@example.org")); got.Verdict != want {
			t.Errorf("%s: %+v", place, got)
		}
		if sum(t, reg, "tidings_mail_breaker_open") != 0 {
			t.Errorf("%s: the provider is blamed", place)
		}
		close(until)
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	s, url := plain(t, "main", nil)
	r, _ := relays(t, quick(), url)
	for _, to := range []string{
		"", "ann", "@example.org", "ann@", "ann@example.org>\r\nDATA", "ann@exam ple.org", "<ann@example.org>", "ann@exämple.org",
		"a\x00nn@example.org", strings.Repeat("a", 400) + "@example.org",
	} {
		if got := r.Send(t.Context(), mail(to)); got.Verdict != smtp.Refused {
			t.Errorf("%q: %+v", to, got)
		}
	}
	if got := r.Send(t.Context(), mail("änn@example.org")); got.Verdict != smtp.Refused || len(s.Mails()) != 0 {
		t.Errorf("without SMTPUTF8: %+v", got)
	}
	wide := smtptest.New(t, smtptest.Options{NoTLS: true, UTF8: true})
	r, _ = relays(t, quick(), url, wide.URL("tls=none&name=wide"))
	if got := r.Send(t.Context(), mail("änn@example.org")); got.Verdict != smtp.Sent || got.Provider != "wide" {
		t.Errorf("%+v", got)
	}
	if mails := wide.Mails(); len(mails) != 1 || !mails[0].UTF8 || mails[0].To != "änn@example.org" {
		t.Errorf("%+v", mails)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	one, err := smtp.Parse("smtp://mail.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]smtp.Config{
		"none":  {},
		"twice": {Providers: []smtp.Provider{one, one}},
		"many":  {Providers: make([]smtp.Provider, 17)},
		"empty": {Providers: make([]smtp.Provider, 1)},
		"hello": {Providers: []smtp.Provider{one}, Hello: "a\r\nb"},
	} {
		if _, err := smtp.New(cfg, testkit.Log(t), nil); !errors.Is(err, smtp.ErrProvider) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
