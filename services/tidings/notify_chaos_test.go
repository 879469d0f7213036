package main_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"tidings/shared/testkit"
)

const (
	// chaosUsers get chaosEach notifications each.
	chaosUsers, chaosEach = 1000, 10
	// chaosKills is how often the mailer is killed, at every chaosLeg mails.
	chaosKills, chaosLeg = 5, 700
	// chaosNATS is after which kill NATS is killed, too, and how many mails later, with the
	// mailer at work.
	chaosNATS, chaosLater = 2, 300
	// chaosFirst is how many notifications are told at once; the rest follows while NATS dies.
	chaosFirst = 6000
	// chaosEnd is how long it may take until all is delivered: jobs of a worker that was
	// killed are free after 30 s of silence.
	chaosEnd = 4 * testkit.Patience
	// chaosMoods is for how many attempts an address is moody. Pauses grow fourfold: one mail
	// that met with many moods would wait for its next attempt for longer than chaosEnd.
	chaosMoods = 10
)

// chaosPlan is what the post office does to whom; it follows from names alone. key is
// that of a mail, to an address.
type chaosPlan struct{}

func (chaosPlan) refused(to string) bool { return lot(250, to) == 7 }     // 550 for ever
func (chaosPlan) gone(to string) bool    { return to == mailOf("u0777") } // 550 5.1.1
func (chaosPlan) later(to string) bool   { return lot(100, to) == 8 }     // 450 at first
func (chaosPlan) torn(to string) bool    { return lot(100, to) == 9 }     // lost before DATA

func (chaosPlan) bad(key string) bool    { return lot(400, key) == 1 } // 554 for ever
func (chaosPlan) shaky(key string) bool  { return lot(200, key) == 3 } // 451 at first
func (chaosPlan) unread(key string) bool { return lot(200, key) == 4 } // lost in the middle
func (chaosPlan) unsaid(key string) bool { return lot(200, key) == 5 } // lost after it was kept

// at is postOffice.plan.
func (p chaosPlan) at(at stage, of string, n int) *trouble {
	switch {
	case at == atRcpt && p.refused(of):
		return refusal(550, smtp.EnhancedCode{5, 7, 1}, "we don't want it")
	case at == atRcpt && p.gone(of):
		return refusal(550, smtp.EnhancedCode{5, 1, 1}, "nobody of that name")
	case at == atRcpt && p.later(of) && n%3 == 1 && n <= chaosMoods:
		return refusal(450, smtp.EnhancedCode{4, 2, 1}, "come back later")
	case at == atRcpt && p.torn(of) && n%4 == 2 && n <= chaosMoods:
		return &trouble{drop: true}
	case at == atEnd && p.bad(of):
		return refusal(554, smtp.EnhancedCode{5, 6, 0}, "we can't read it")
	case at == atEnd && p.shaky(of) && n <= 2:
		return refusal(451, smtp.EnhancedCode{4, 3, 0}, "our disk is full")
	case at == atEnd && p.unread(of) && n == 1, at == atKept && p.unsaid(of) && n == 1:
		return &trouble{drop: true}
	}
	return nil
}

// chaos is one run.
type chaos struct {
	t             *testing.T
	plan          chaosPlan
	office        *postOffice
	nats          *server
	front, mailer *node
	crier         *crier
	all           []told
	began         time.Time
	dead          []*process // those that were killed or ended
	kills         []time.Time
	faulty        int // faults that were found
	kept          atomic.Int64
	frozen        chan chan struct{} // a conversation that waits for the kill, until it is closed
}

// TestChaos: 10,000 notifications to 1,000 people, while the mailer is killed five
// times, NATS once, and the mail server does what mail servers do. Every mail that can
// arrive does, and what is known of it is true.
func TestChaos(t *testing.T) {
	t.Parallel()
	c := newChaos(t)
	first := c.crier.start(c.all[:chaosFirst], 50, 4)
	rest := c.torment()
	first()
	rest()
	c.log("all are accepted; %d batches were sent again, %d notifications were known then", c.crier.repeated.Load(), c.crier.doubled.Load())
	untilIdle(t, c.nats.url(), chaosEnd)
	c.log("all is delivered; %d connections", c.office.conns)
	queue := attach(t, c.nats.url())
	mails := c.receipts(queue)
	c.log("the receipts are read")
	c.wantTroubles()
	c.wantMails(mails)
	c.wantLetters(queue, mails)
	c.wantInboxes()
	c.log("all is checked; %d faults", c.faulty)
	c.figures()
}

func newChaos(t *testing.T) *chaos {
	c := &chaos{t: t, office: newPostOffice(t), nats: startNATS(t), began: time.Now(), frozen: make(chan chan struct{})}
	c.office.plan, c.office.busy = c.misbehave, func(n int) bool { return n == 5 || n == 30 }
	c.office.open()
	settings := mailFile(t, c.office)
	// The race detector makes a process five times slower. It watches those that are killed
	// here, and the notifier in TestNotifierKilled.
	c.front = upPlain(t, c.nats, "notifier", "edge", settings)
	c.mailer = up(t, c.nats, "mailer", settings)
	c.crier = newCrier(t, c.front.url)
	users := make([]string, chaosUsers)
	for i := range users {
		users[i] = fmt.Sprintf("u%04d", i)
	}
	c.crier.introduce(users)
	for i := range chaosUsers * chaosEach {
		c.all = append(c.all, told{id: fmt.Sprintf("c-%05d", i), user: users[i%chaosUsers]})
	}
	c.log("begun")
	return c
}

func (c *chaos) log(format string, args ...any) {
	c.t.Helper()
	c.t.Logf("%5.1f s: %s", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// fault notes that something is wrong. The first ones say all there is to know.
func (c *chaos) fault(format string, args ...any) {
	c.t.Helper()
	const shown = 20
	if c.faulty++; c.faulty > shown {
		c.t.Fail()
		return
	}
	c.t.Errorf(format, args...)
}

// misbehave is the plan; and now and then a mail that was just kept waits for the
// mailer's death.
func (c *chaos) misbehave(at stage, of string, n int) *trouble {
	if at == atKept {
		if count := c.kept.Add(1); count%chaosLeg == 0 && count <= chaosKills*chaosLeg {
			thaw := make(chan struct{})
			c.frozen <- thaw
			return &trouble{until: thaw, drop: true}
		}
	}
	return c.plan.at(at, of, n)
}

// torment kills the mailer each time that a mail is between its storing and the answer, and
// NATS once in between, while the rest is told: wait waits until that is accepted.
func (c *chaos) torment() (wait func()) {
	for i := range chaosKills {
		var thaw chan struct{}
		select {
		case thaw = <-c.frozen:
		case <-time.After(2 * testkit.Patience):
			c.t.Fatalf("the mailer has sent %d mails, and no more", c.office.letters())
		}
		c.kills = append(c.kills, time.Now())
		c.mailer.kill()
		c.dead = append(c.dead, c.mailer.process)
		close(thaw)
		c.log("the mailer was killed at %d mails, %d notifications are accepted", c.office.letters(), c.crier.accepted.Load())
		c.mailer.plain = i+1 == chaosKills // nobody kills it any more
		c.mailer.start()
		if i+1 == chaosNATS {
			testkit.Eventually(c.t, "mails to arrive", func() bool { return c.office.letters() >= chaosNATS*chaosLeg+chaosLater })
			wait = c.crier.start(c.all[chaosFirst:], 50, 4)
			c.crier.untilAccepted(int(c.crier.accepted.Load()) + 500)
			c.dead = append(c.dead, c.nats.process)
			c.nats.restart(c.t)
			c.log("NATS was killed at %d mails, %d notifications are accepted", c.office.letters(), c.crier.accepted.Load())
		}
	}
	return wait
}

// figures ends everything and tells what it has cost.
func (c *chaos) figures() {
	for _, n := range []*node{c.front, c.mailer} {
		if code := n.stop(); code != 0 {
			c.t.Errorf("%s: exit code %d", n.name, code)
		}
		c.dead = append(c.dead, n.process)
	}
	c.nats.stop()
	cpu := map[string]time.Duration{}
	for _, p := range append(c.dead, c.nats.process) {
		name := "NATS"
		for _, s := range []string{"mailer", "notifier"} {
			if strings.Contains(p.name, s) {
				name = s
			}
		}
		cpu[name] += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	}
	for name, d := range cpu {
		c.t.Logf("%s: %.1f s of CPU, %.2f ms a notification", name, d.Seconds(), d.Seconds()*1000/float64(len(c.all)))
	}
}
