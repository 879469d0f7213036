package deliver

import (
	"context"
	"encoding/json"
	"fmt"

	"tidings/services/notifier/route"
	"tidings/shared/ledger"
	"tidings/shared/natsx"
	"tidings/shared/worker"
)

// Send implements worker.Sender for Channel. Everything it does may be done again.
func (d *Deliverer) Send(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
	err := d.send(ctx, a)
	if lasting(err) {
		return worker.Never(), err
	}
	return worker.Again(), err
}

func (d *Deliverer) send(ctx context.Context, a worker.Attempt) error {
	var t task
	if err := json.Unmarshal(a.Job.Payload, &t); err != nil {
		return fmt.Errorf("%w: the job: %w", errStored, err)
	}
	if t.Kind == kindFlush {
		return d.flush(ctx, a.Job.Notification, t)
	}
	r, err := d.requestFor(ctx, a.Job.Notification, t)
	if err != nil {
		return err
	}
	again := a.Number > 1 // some of the work may be done
	decided, err := d.decide(ctx, r, t, again)
	if err != nil {
		return err
	}
	return d.carryOut(ctx, r, decided, again)
}

// requestFor returns the notification of a task.
func (d *Deliverer) requestFor(ctx context.Context, id string, t task) (request, error) {
	if t.Entry == nil {
		return d.request(ctx, id)
	}
	return requestOf(id, *t.Entry)
}

// decision is what becomes of a notification for one person, as the ledger keeps it.
type decision struct {
	User       string           `json:"user"`
	Deliveries []route.Delivery `json:"deliveries"`

	// who is the person as they were found just now, with what the sender gave. It is
	// not stored: the ledger has no addresses but those of the request.
	who route.Person
}

// decide returns the decisions of a task: those that are in the ledger, or those it
// makes and puts there. again says that they may be there: to ask Route once more would
// count the notification twice.
func (d *Deliverer) decide(ctx context.Context, r request, t task, again bool) ([]decision, error) {
	users := t.Users
	if t.Kind == kindResume {
		users = []string{t.User}
	}
	people, err := d.find(ctx, r.notification, users)
	if err != nil {
		return nil, err
	}
	if again {
		before, found, err := d.cfg.Ledger.Part(ctx, r.notification.ID, t.Part)
		if err != nil {
			return nil, fmt.Errorf("read the decisions: %w", err)
		}
		if found {
			return decidedBefore(before, people)
		}
	}
	made := make([]decision, len(people))
	err = each(ctx, len(people), func(ctx context.Context, i int) error {
		deliveries, err := d.ask(ctx, r, t, people[i])
		if err != nil {
			return fmt.Errorf("user %s: %w", people[i].User, err)
		}
		made[i] = decision{User: people[i].User, Deliveries: deliveries, who: people[i].Person}
		return nil
	})
	if err != nil {
		return nil, err
	}
	body, err := natsx.Encode(made)
	if err != nil {
		return nil, fmt.Errorf("json.Marshal: %w", err)
	}
	e := ledger.Entry{At: d.cfg.Now().UTC(), Kind: ledger.KindRouted, Part: t.Part, Body: body}
	stored, fresh, err := d.cfg.Ledger.Put(ctx, r.notification.ID, e)
	if err != nil {
		return nil, fmt.Errorf("store the decisions: %w", err)
	}
	if fresh {
		return made, nil
	}
	return decidedBefore(stored, people)
}

// decidedBefore reads decisions from the ledger, with the people as they are now.
func decidedBefore(stored ledger.Entry, people []person) ([]decision, error) {
	var before []decision
	if err := json.Unmarshal(stored.Body, &before); err != nil {
		return nil, fmt.Errorf("%w: decisions: %w", errStored, err)
	}
	if len(before) != len(people) {
		return nil, fmt.Errorf("%w: %d decisions for %d people", errStored, len(before), len(people))
	}
	for i := range before {
		before[i].who = people[i].Person
	}
	return before, nil
}

// ask asks Route, or Resume, about one person, and keeps the history it answers with.
func (d *Deliverer) ask(ctx context.Context, r request, t task, p person) (out []route.Delivery, err error) {
	if p.unreadable {
		return unreadable(t), nil
	}
	who, prefs := p.Person, p.prefs
	facts := route.Facts{Channels: d.cfg.Channels}
	if who.Email != "" {
		if facts.Suppressed, err = d.suppressed(ctx, route.Mail, who.Email); err != nil {
			return nil, err
		}
	}
	category := categoryOf(r.notification)
	ask := func(h route.History) (route.History, bool) {
		facts.History = h
		var next route.History
		if t.Kind == kindResume {
			var one route.Delivery
			one, next = route.Resume(r.notification, who, prefs, d.cfg.Categories, facts, t.Channel, d.cfg.Now())
			out = []route.Delivery{one}
		} else {
			out, next = route.Route(r.notification, who, prefs, d.cfg.Categories, facts, d.cfg.Now())
		}
		return next, !same(next, h)
	}
	if remembers(d.cfg.Categories.Of(category), prefs.Categories[category]) {
		err = d.cfg.History.change(ctx, who.User, category, ask)
	} else {
		ask(route.History{})
	}
	for i := range out {
		// The ledger shall hold no addresses, and a reason says why by itself.
		out[i].Address, out[i].Why = "", ""
	}
	return out, err
}

// unreadable are the decisions about somebody of whom it can't be told what they want:
// rather nothing than what they may have turned off.
func unreadable(t task) []route.Delivery {
	channels := route.Channels()
	if t.Kind == kindResume {
		channels = []route.Channel{t.Channel}
	}
	out := make([]route.Delivery, 0, len(channels))
	for _, c := range channels {
		out = append(out, route.Delivery{Channel: c, Verdict: route.Dropped, Reason: route.Unreadable})
	}
	return out
}

// remembers reports whether the history of a category matters to Route.
func remembers(rules route.Category, choice route.Choice) bool {
	return len(rules.Limits) > 0 || rules.Digest != route.Digest{} || choice.Digest != nil
}

// suppressed returns what the suppression list has for an address.
func (d *Deliverer) suppressed(ctx context.Context, c route.Channel, address string) ([]route.Suppression, error) {
	entries, err := d.cfg.Suppressed.Of(ctx, string(c), address)
	if err != nil {
		return nil, fmt.Errorf("read the suppression list: %w", err)
	}
	out := make([]route.Suppression, 0, len(entries))
	for _, e := range entries {
		out = append(out, route.Suppression{Channel: c, Cause: route.Cause(e.Cause), Category: e.Category})
	}
	return out, nil
}

func categoryOf(n route.Notification) string {
	if n.Category == "" {
		return route.DefaultCategory
	}
	return n.Category
}
