package timeline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tidings/services/notifier/deliver"
	"tidings/services/notifier/route"
	"tidings/shared/ledger"
	"tidings/shared/worker"
)

// State is what a delivery has come to: one of those below, or a worker.State.
type State string

// The states of a delivery beside those of its job.
const (
	// Pending: it was decided to deliver it, and nothing more is known yet.
	Pending State = "pending"
	// Held: it waits for a better time; Delivery.At is when.
	Held State = "held"
	// Digested: it waits in a digest; Delivery.Digest is the digest's own id.
	Digested State = "digest"
	// Dropped: the channel is not used; Delivery.Reason is why.
	Dropped State = "dropped"
	// Delivered: it is in the inbox.
	Delivered State = "delivered"
	// Bounced and Complained: the mail system said so afterwards.
	Bounced    State = "bounced"
	Complained State = "complained"
	// Failed: it can't be delivered; Delivery.Detail is why.
	Failed State = "failed"
)

// Timeline is what became of a notification. Its JSON is part of the API.
type Timeline struct {
	// ID is the notification's, At when it was accepted, and From how: "http", "nats",
	// "repeat" or "digest"; Of is the recurring notification it is one of.
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	From string    `json:"from,omitempty"`
	Of   string    `json:"of,omitempty"`
	// Category, Severity and Title are what it says; To are users and topics.
	Category string   `json:"category"`
	Severity string   `json:"severity"`
	Title    string   `json:"title,omitempty"`
	Template string   `json:"template,omitempty"`
	To       []string `json:"to"`
	// Due is when it begins, if later; Repeats says that it comes again and again.
	Due     time.Time `json:"due,omitzero"`
	Repeats bool      `json:"repeats,omitempty"`
	// Planned is what is going to happen.
	Planned []Planned `json:"planned,omitempty"`
	// Canceled says that what had not begun was given up.
	Canceled bool `json:"canceled,omitempty"`
	// Deliveries are one for each person and channel that was decided about.
	Deliveries []Delivery `json:"deliveries"`
	// Steps are everything that happened, in order.
	Steps []Step `json:"steps"`
	// More says that there are more steps than are read.
	More bool `json:"more,omitempty"`
}

// Delivery is what a notification came to for one person on one channel.
type Delivery struct {
	User    string        `json:"user"`
	Channel route.Channel `json:"channel"`
	State   State         `json:"state"`
	// Reason and Why say why it was decided so.
	Reason route.Reason `json:"reason,omitempty"`
	Why    string       `json:"why,omitempty"`
	// At is when it is due, while it waits.
	At time.Time `json:"at,omitzero"`
	// Digest is the id of the digest it is in.
	Digest string `json:"digest,omitempty"`
	// Key is the job's; it stands in the Message-ID of a mail.
	Key string `json:"key,omitempty"`
	// Attempts, Error and Detail are those of the job's last receipt, Changed is its time.
	Attempts int       `json:"attempts,omitempty"`
	Error    string    `json:"error,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Changed  time.Time `json:"changed,omitzero"`

	part string // of the ledger, and recipient of the job, that decided
}

// Planned is something that is going to happen.
type Planned struct {
	At time.Time `json:"at"`
	// What is "begin", "repeat", "resume" or "flush": the notification begins, or comes
	// again, a channel that was held is asked about again, or a digest is sent.
	What    string `json:"what"`
	User    string `json:"user,omitempty"`
	Channel string `json:"channel,omitempty"`
}

// Step is something that happened.
type Step struct {
	At time.Time `json:"at"`
	// What is "requested", "routed", "canceled", a State or a worker.State.
	What    string `json:"what"`
	User    string `json:"user,omitempty"`
	Channel string `json:"channel,omitempty"`
	// Attempt counts from 1.
	Attempt int `json:"attempt,omitempty"`
	// Reason is for programs, Detail for people.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Next is when it is tried again.
	Next time.Time `json:"next,omitzero"`
}

// Build makes the timeline of a notification. entries must hold its request.
func Build(id string, entries []ledger.Entry, receipts []worker.Receipt, more bool) (Timeline, error) {
	b := &builder{t: Timeline{ID: id, To: []string{}, Deliveries: []Delivery{}, Steps: []Step{}, More: more}, at: map[string]int{}}
	for _, e := range entries {
		if err := b.entry(e); err != nil {
			return Timeline{}, err
		}
	}
	for _, r := range receipts {
		b.receipt(r)
	}
	// What an operator learns afterwards is more than what the provider said at first.
	for _, e := range entries {
		b.afterwards(e)
	}
	slices.SortStableFunc(b.t.Steps, func(x, y Step) int { return x.At.Compare(y.At) })
	return b.t, nil
}

// builder is a timeline that is being made.
type builder struct {
	t  Timeline
	at map[string]int // index of a delivery, by its key in key
}

func key(user string, c route.Channel) string { return string(c) + "\x00" + user }

func (b *builder) entry(e ledger.Entry) error {
	switch e.Kind {
	case ledger.KindRequest:
		return b.request(e)
	case ledger.KindRouted:
		return b.routed(e)
	default:
		b.t.Steps = append(b.t.Steps, Step{At: e.At, What: e.Reason, User: e.User, Channel: e.Channel, Detail: e.Detail})
		b.t.Canceled = b.t.Canceled || e.Part == deliver.CanceledPart
		return nil
	}
}

func (b *builder) request(e ledger.Entry) error {
	var n route.Notification
	if err := json.Unmarshal(e.Body, &n); err != nil {
		return fmt.Errorf("the request of %s: %w", b.t.ID, err)
	}
	b.t.At, b.t.From, b.t.Category, b.t.Severity = e.At, e.Reason, cmp.Or(n.Category, route.DefaultCategory), string(n.Severity)
	b.t.Title, b.t.Template, b.t.Due, b.t.Repeats = n.Title, n.Template, n.At, n.Repeat != nil
	if e.Reason == "repeat" {
		b.t.Of = e.Detail
	}
	for _, to := range n.To {
		if to.Topic != "" {
			b.t.To = append(b.t.To, "topic "+string(to.Topic))
		} else {
			b.t.To = append(b.t.To, to.User)
		}
	}
	b.t.Steps = append(b.t.Steps, Step{At: e.At, What: "requested", Reason: e.Reason})
	return nil
}

func (b *builder) routed(e ledger.Entry) error {
	var decided []struct {
		User       string           `json:"user"`
		Deliveries []route.Delivery `json:"deliveries"`
	}
	if err := json.Unmarshal(e.Body, &decided); err != nil {
		return fmt.Errorf("decisions about %s: %w", b.t.ID, err)
	}
	for _, p := range decided {
		for _, v := range p.Deliveries {
			b.decided(e, p.User, v)
		}
	}
	return nil
}

// decided notes a decision; a later one about the same channel takes its place.
func (b *builder) decided(e ledger.Entry, user string, v route.Delivery) {
	d := Delivery{User: user, Channel: v.Channel, Reason: v.Reason, Why: v.Reason.Why(), Digest: v.Digest, Key: v.Key, Changed: e.At, part: e.Part}
	switch v.Verdict {
	case route.Held:
		d.State, d.At = Held, v.At
	case route.Digested:
		d.State, d.At = Digested, v.At
	case route.Dropped:
		d.State = Dropped
	case route.Now:
		d.State = Pending
		if v.Channel == route.Inbox {
			// It is put there by the job that decided, which is seen to be done below.
			d.Key = ""
		}
	}
	b.t.Steps = append(b.t.Steps, Step{At: e.At, What: "routed", User: user, Channel: string(v.Channel), Reason: string(v.Reason), Detail: d.Why})
	k := key(user, v.Channel)
	if i, ok := b.at[k]; ok {
		b.t.Deliveries[i] = d
		return
	}
	b.at[k] = len(b.t.Deliveries)
	b.t.Deliveries = append(b.t.Deliveries, d)
}

// receipt notes what became of a job.
func (b *builder) receipt(r worker.Receipt) {
	if r.Channel == deliver.Channel {
		b.routeReceipt(r)
		return
	}
	b.t.Steps = append(b.t.Steps, Step{
		At: r.At, What: string(r.State), User: r.Recipient, Channel: r.Channel, Attempt: r.Attempt,
		Detail: cmp.Or(r.Error, r.Detail), Next: r.Next,
	})
	i, ok := b.at[key(r.Recipient, route.Channel(r.Channel))]
	if !ok {
		return
	}
	d := &b.t.Deliveries[i]
	d.State, d.Attempts, d.Error, d.Detail, d.Changed, d.At = State(r.State), r.Attempt, r.Error, r.Detail, r.At, r.Next
}

// routeReceipt notes what became of a job that decides and fills inboxes.
func (b *builder) routeReceipt(r worker.Receipt) {
	switch r.State {
	case worker.Sent:
		for i := range b.t.Deliveries {
			d := &b.t.Deliveries[i]
			if d.part == r.Recipient && d.Channel == route.Inbox && d.State == Pending {
				d.State, d.Changed = Delivered, r.At
				b.t.Steps = append(b.t.Steps, Step{At: r.At, What: string(Delivered), User: d.User, Channel: string(d.Channel)})
			}
		}
	case worker.Retry, worker.Dead, worker.Expired:
		b.t.Steps = append(b.t.Steps, Step{At: r.At, What: string(r.State), Attempt: r.Attempt, Detail: r.Error, Next: r.Next})
	case worker.Queued, worker.Sending:
	}
}

// afterwards notes what was learned about a delivery after it was sent.
func (b *builder) afterwards(e ledger.Entry) {
	state := State(e.Reason)
	if e.Kind != ledger.KindNote || state != Bounced && state != Complained && state != Delivered && state != Failed {
		return
	}
	for i := range b.t.Deliveries {
		d := &b.t.Deliveries[i]
		if e.Key != "" && d.Key == e.Key || e.Key == "" && d.User == e.User && string(d.Channel) == e.Channel {
			d.State, d.Detail, d.Changed = state, e.Detail, e.At
		}
	}
}
