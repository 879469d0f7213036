package main_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/testkit"
	"tidings/shared/worker"
)

// wantTroubles: whatever the mail server was to do, it did.
func (c *chaos) wantTroubles() {
	c.t.Logf("the mail server did: %v", c.office.did)
	for _, what := range []string{"connect 421", "RCPT 450", "RCPT 550", "RCPT lost", "end 451", "end 554", "end lost", "kept lost"} {
		if c.office.did[what] == 0 {
			c.fault("the mail server never did: %s", what)
		}
	}
}

// receipts returns the receipts of each notification's mail, in order.
func (c *chaos) receipts(queue *worker.Queue) map[string][]worker.Receipt {
	js, err := jetstream.New(connect(c.t, c.nats.url()))
	if err != nil {
		c.t.Fatal(err)
	}
	space := testkit.Space(c.t)
	all, err := js.OrderedConsumer(c.t.Context(), space.Stream(worker.NameReceipts), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{space.Receipt("*", "mail", "*")},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	messages, err := all.Messages()
	if err != nil {
		c.t.Fatal(err)
	}
	defer messages.Stop()
	out := map[string][]worker.Receipt{}
	for left := uint64(1); left > 0; {
		m, err := messages.Next(jetstream.NextMaxWait(testkit.Patience))
		if err != nil {
			c.t.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			c.t.Fatal(err)
		}
		left = meta.NumPending
		var r worker.Receipt
		decode(c.t, string(m.Data()), &r)
		out[r.Notification] = append(out[r.Notification], r)
	}
	// Whoever asks for one of them is told the same.
	const sample = 100
	for i := 0; i < len(c.all); i += len(c.all) / sample {
		list, more, err := queue.Timeline(c.t.Context(), c.all[i].id)
		list = slices.DeleteFunc(list, func(r worker.Receipt) bool { return r.Channel != "mail" })
		if err != nil || more || !slices.Equal(list, out[c.all[i].id]) {
			c.fault("the timeline of %s: %v, more: %v;%s\nwant%s", c.all[i].id, err, more, steps(list), steps(out[c.all[i].id]))
		}
	}
	return out
}

// wantMails holds the receipts of all mails against what the post office has.
func (c *chaos) wantMails(mails map[string][]worker.Receipt) {
	sum := map[string]int{}
	keys := map[string]bool{}
	for _, n := range c.all {
		list := mails[n.id]
		if len(list) == 0 {
			// Once it is known that there is no such address it is not used any more.
			if d := c.crier.timeline(n.id); !c.plan.gone(mailOf(n.user)) || d.state("mail") != "dropped" {
				c.fault("%s: there is no mail; %+v", n.id, d)
			}
			sum["dropped"]++
			continue
		}
		last := list[len(list)-1]
		keys[last.Key] = true
		v := c.judge(list)
		sum["attempts"] += last.Attempt
		sum["most of one"] = max(sum["most of one"], last.Attempt)
		sum["copies"] += v.copies
		sum["ambiguous"] += v.lost + v.unsaid
		if v.copies > 1 {
			sum["duplicates"] += v.copies - 1
			sum["of mails"]++
		}
		sum["workers lost"] += v.lost
		sum["answers lost"] += v.unsaid
		for _, fault := range c.faults(n, list, v) {
			c.fault("%s: %s; receipts: %s", n.id, fault, steps(list))
		}
	}
	for key, list := range c.office.kept {
		if !keys[key] {
			c.fault("a mail arrived that is no job: %s %v", key, list)
		}
	}
	c.t.Logf("%d mails: %v", len(mails), sum)
	if sum["duplicates"] > sum["ambiguous"] {
		c.fault("%d duplicates of %d ambiguous attempts", sum["duplicates"], sum["ambiguous"])
	}
}

// judgement is what can be known of a mail.
type judgement struct {
	copies int // that were kept
	read   int // how often it was read to its end
	lost   int // attempts whose worker was killed
	unsaid int // attempts whose connection was lost after the mail was kept
	sends  int // attempts
	odd    int // attempts that were begun again, although nobody was killed meanwhile
}

// judge counts what happened to a mail.
func (c *chaos) judge(list []worker.Receipt) judgement {
	key := list[0].Key
	v := judgement{copies: len(c.office.kept[key]), read: c.office.read(key)}
	for i, r := range list {
		if r.State == worker.Sending {
			v.sends++
			if i > 0 && list[i-1].State == worker.Sending {
				if v.lost++; !slices.ContainsFunc(c.kills, func(k time.Time) bool { return k.After(list[i-1].At) && k.Before(r.At) }) {
					v.odd++
				}
			}
		}
	}
	if c.plan.unsaid(key) && v.copies > 0 {
		v.unsaid = 1
	}
	return v
}

// faults returns what is wrong with a mail.
func (c *chaos) faults(n told, list []worker.Receipt, v judgement) (out []string) {
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	last := list[len(list)-1]
	wrong(v.odd > 0, "an attempt was begun twice, and nobody was killed")
	// A worker that was killed may have sent, or not.
	wrong(v.sends < v.read, "%d attempts, but it was read %d times", v.sends, v.read)
	for _, l := range c.office.kept[last.Key] {
		wrong(l.to != mailOf(n.user), "it went to %s", l.to)
	}
	if to := mailOf(n.user); c.plan.refused(to) || c.plan.gone(to) || c.plan.bad(last.Key) {
		wrong(last.State != worker.Dead, "it ended as %q", last.State)
		wrong(v.copies > 0, "it arrived")
		return out
	}
	wrong(last.State != worker.Sent, "it ended as %q", last.State)
	wrong(last.State == worker.Sent && !strings.Contains(last.Detail, "provider post: 2.0.0 OK"), "the server's answer is %q", last.Detail)
	wrong(v.copies == 0, "it did not arrive")
	wrong(v.copies > 1 && !last.Unsure, "it arrived %d times, and nothing says that it may have", v.copies)
	wrong(v.copies > 1+v.lost+v.unsaid, "%d copies arrived, with %d workers and %d answers lost", v.copies, v.lost, v.unsaid)
	return out
}

// steps shows receipts.
func steps(list []worker.Receipt) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "\n\t%s %s %d unsure=%v %s%s", r.At.Format("05.000"), r.State, r.Attempt, r.Unsure, r.Error, r.Detail)
	}
	return b.String()
}

// wantLetters: those that never can be delivered are dead, and no others.
func (c *chaos) wantLetters(queue *worker.Queue, mails map[string][]worker.Receipt) {
	want := map[string][]string{} // the answers that are fine, by notification
	for _, n := range c.all {
		list, to := mails[n.id], mailOf(n.user)
		switch {
		case len(list) == 0:
		case c.plan.gone(to):
			want[n.id] = []string{"provider post: RCPT: 550 5.1.1 nobody of that name", "the address is suppressed: bounced"}
		case c.plan.refused(to):
			want[n.id] = []string{"provider post: RCPT: 550 5.7.1 we don't want it"}
		case c.plan.bad(list[0].Key):
			want[n.id] = []string{"provider post: end: 554 5.6.0 we can't read it"}
		}
	}
	c.t.Logf("%d mails are refused for ever", len(want))
	for after, more := uint64(0), true; more; {
		page, err := queue.List(c.t.Context(), worker.Filter{}, after, worker.MaxLetters)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, l := range page.Letters {
			if l.Job == nil || l.Channel != "mail" || l.Reason != worker.ReasonPermanent || !slices.Contains(want[l.Job.Notification], l.Error) {
				c.fault("letter %+v", l)
				continue
			}
			delete(want, l.Job.Notification)
		}
		after, more = page.Next, page.More
	}
	for id := range want {
		c.fault("%s is no dead letter", id)
	}
}

// wantInboxes: everybody has each notification once in the inbox, delivered or not.
func (c *chaos) wantInboxes() {
	for u := range chaosUsers {
		got := inboxOf(c.t, c.front.url, c.all[u].user)
		var want []string
		for i := u; i < len(c.all); i += chaosUsers {
			want = append(want, c.all[i].id)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			c.fault("the inbox of %s has %v, want %v", c.all[u].user, got, want)
		}
	}
}
