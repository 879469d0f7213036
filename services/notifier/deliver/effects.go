package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tidings/services/notifier/inbox"
	"tidings/services/notifier/planner"
	"tidings/services/notifier/route"
	"tidings/shared/ledger"
	"tidings/shared/natsx"
	"tidings/shared/notice"
	"tidings/shared/template"
	"tidings/shared/worker"
)

// carryOut does what was decided. again says that some of it may be done already.
func (d *Deliverer) carryOut(ctx context.Context, r request, decided []decision, again bool) error {
	return each(ctx, len(decided), func(ctx context.Context, i int) error {
		var first error
		for _, v := range decided[i].Deliveries {
			err := d.one(ctx, r, decided[i].who, v, again)
			if lasting(err) {
				err = d.giveUp(ctx, r, decided[i].User, v, err)
			}
			if err != nil && first == nil {
				first = fmt.Errorf("user %s, %s: %w", decided[i].User, v.Channel, err)
			}
		}
		return first
	})
}

// giveUp notes that a delivery can't be made, now or later. The person's other channels
// and other people go on.
func (d *Deliverer) giveUp(ctx context.Context, r request, user string, v route.Delivery, why error) error {
	d.log.Error("a delivery is given up", "notification", r.notification.ID, "channel", v.Channel, "err", why)
	_, _, err := d.cfg.Ledger.Put(ctx, r.notification.ID, ledger.Entry{
		At: d.cfg.Now().UTC(), Kind: ledger.KindNote, Part: "failed-" + worker.KeyOf(user, string(v.Channel), ""),
		User: user, Channel: string(v.Channel), Reason: "failed", Detail: clip(why.Error()),
	})
	return err
}

// maxDetail is how much of an error the ledger quotes, in bytes.
const maxDetail = 300

func clip(s string) string {
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail], "") + "…"
	}
	return s
}

// one does what was decided of one channel for one person.
func (d *Deliverer) one(ctx context.Context, r request, who route.Person, v route.Delivery, again bool) error {
	switch v.Verdict {
	case route.Now:
		if v.Channel == route.Inbox {
			return d.putInbox(ctx, r, who, again)
		}
		return d.enqueue(ctx, r, who, v)
	case route.Held:
		return d.hold(ctx, r, who, v)
	case route.Digested:
		return d.collect(ctx, r, who, v)
	default:
		return nil
	}
}

// putInbox puts the notification into the person's inbox, from where it is an event.
func (d *Deliverer) putInbox(ctx context.Context, r request, who route.Person, again bool) error {
	n := r.notification
	title, body, err := d.text(r, who)
	if err != nil {
		return err
	}
	item := inbox.Item{
		ID: n.ID, At: r.at, Category: categoryOf(n), Severity: string(n.Severity), Title: title, Body: body,
		Data: n.Data, Collapse: n.Collapse, Expires: n.Expires,
	}
	for _, a := range n.Actions {
		item.Actions = append(item.Actions, inbox.Action{ID: a.ID, Label: a.Label, URL: a.URL})
	}
	if _, _, err := d.cfg.Inbox.Put(ctx, who.User, item, again); err != nil {
		return fmt.Errorf("put into the inbox: %w", err)
	}
	return nil
}

// text returns the notification's title and body in the person's language.
func (d *Deliverer) text(r request, who route.Person) (title, body string, err error) {
	n := r.notification
	if n.Template == "" {
		return n.Title, n.Body, nil
	}
	title, body, err = d.cfg.Templates().Text(n.Template, Input(n, who, r.at))
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", errStored, err)
	}
	return title, body, nil
}

// Input is what a template gets to know of a notification for a person.
func Input(n route.Notification, who route.Person, at time.Time) template.Input {
	in := template.Input{
		Locale: who.Locale, TZ: who.TZ, User: who.User, Name: who.Name, Title: n.Title, Body: n.Body,
		Category: categoryOf(n), Severity: string(n.Severity), Data: n.Data, At: at,
	}
	for _, a := range n.Actions {
		in.Actions = append(in.Actions, template.Action{Label: a.Label, URL: a.URL})
	}
	return in
}

// enqueue makes the job of another channel.
func (d *Deliverer) enqueue(ctx context.Context, r request, who route.Person, v route.Delivery) error {
	m := d.message(r, who)
	m.Collapse = v.Collapse
	return d.enqueueMessage(ctx, v, m, r.notification.Expires, r.notification.Severity == route.Critical)
}

func (d *Deliverer) enqueueMessage(ctx context.Context, v route.Delivery, m notice.Message, expires time.Time, critical bool) error {
	payload, err := m.Encode()
	if err != nil {
		return fmt.Errorf("%w: %w", errStored, err)
	}
	_, err = d.cfg.Queue.Enqueue(ctx, worker.Job{
		Key: v.Key, Notification: m.Notification, Channel: string(v.Channel), Recipient: m.Person.User,
		Payload: payload, Expires: expires, Critical: critical,
	})
	if err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	return nil
}

// message is what the channels get to say.
func (d *Deliverer) message(r request, who route.Person) notice.Message {
	n, rules := r.notification, d.cfg.Categories.Of(categoryOf(r.notification))
	m := notice.Message{
		Notification: n.ID, Category: categoryOf(n), Severity: string(n.Severity), Title: n.Title, Body: n.Body,
		Template: n.Template, Data: n.Data, Person: personOf(who), At: r.at,
		Transactional: rules.Transactional, Duplicates: rules.Duplicates,
	}
	for _, a := range n.Actions {
		m.Actions = append(m.Actions, notice.Action{ID: a.ID, Label: a.Label, URL: a.URL})
	}
	return m
}

func personOf(p route.Person) notice.Person {
	return notice.Person{User: p.User, Name: p.Name, Email: p.Email, Phone: p.Phone, Locale: p.Locale, TZ: p.TZ}
}

// hold plans to ask again about a channel. A later notification with the same collapse
// key takes the place of one that still waits.
func (d *Deliverer) hold(ctx context.Context, r request, who route.Person, v route.Delivery) error {
	key, replaces := v.Key, v.Collapse != ""
	if replaces {
		key = v.Collapse + "-" + string(v.Channel)
	}
	if gone, err := d.canceled(ctx, r.notification.ID); err != nil || gone {
		return err
	}
	// It goes along, for one person: what waits may outlive the ledger's memory.
	n := r.notification
	n.To = []route.Recipient{{Person: inlined(n)[who.User]}}
	n.To[0].User = who.User
	body, err := carry(r.at, n)
	if err != nil {
		return err
	}
	return d.plan(ctx, planner.Entry{
		Key: key, Collapse: replaces, Due: v.At, Notification: n.ID, User: who.User, Channel: string(v.Channel), Kind: PlanResume, Body: body,
	})
}

func (d *Deliverer) plan(ctx context.Context, e planner.Entry) error {
	if err := d.cfg.Planner.Plan(ctx, e); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}

// resumeTask is the task of an entry of the plan. Its part has the time, because a
// channel may be held more than once.
func resumeTask(e planner.Entry, about *ledger.Entry) task {
	return task{
		Entry: about,
		Kind:  kindResume, Part: "resumed-" + worker.KeyOf(e.User, e.Channel, strconv.FormatInt(e.Due.Unix(), 10)),
		User: e.User, Channel: route.Channel(e.Channel),
	}
}

// digestBody is what the plan has of a digest.
type digestBody struct {
	Category string `json:"category"`
	// Given is what the sender of the latest notification in it gave of the person.
	Given route.Person `json:"given,omitzero"`
}

// collect puts the notification into a digest, and plans to send that. A later one with
// the same collapse key takes its place.
func (d *Deliverer) collect(ctx context.Context, r request, who route.Person, v route.Delivery) error {
	title, body, err := d.text(r, who)
	if err != nil {
		return err
	}
	item := notice.Item{Notification: r.notification.ID, Title: title, Body: excerpt(body), At: r.at}
	if len(r.notification.Actions) > 0 {
		item.URL = r.notification.Actions[0].URL
	}
	data, err := natsx.Encode(item)
	if err != nil {
		return err
	}
	key := v.Key
	if v.Collapse != "" {
		key = v.Collapse
	}
	if err := d.cfg.Planner.Collect(ctx, v.Digest, key, data); err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	about, err := json.Marshal(digestBody{categoryOf(r.notification), inlined(r.notification)[who.User]})
	if err != nil {
		return fmt.Errorf("json.Marshal: %w", err)
	}
	// One that was decided about long ago, before a restart, may find its digest sent.
	due := v.At
	if now := d.cfg.Now(); now.After(due) {
		due = now
	}
	return d.plan(ctx, planner.Entry{
		Key: v.Digest, Due: due, Notification: v.Digest, User: who.User, Channel: string(v.Channel), Kind: PlanFlush, Body: about,
	})
}

// maxExcerpt bounds what a digest shows of a body, in bytes: enough to know what it is
// about, and a full digest still makes a job.
const maxExcerpt = 500

// excerpt returns the beginning of a body, ending between two characters.
func excerpt(s string) string {
	if len(s) <= maxExcerpt {
		return s
	}
	end := maxExcerpt
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
