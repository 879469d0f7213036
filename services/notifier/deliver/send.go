package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"tidings/services/notifier/people"
	"tidings/services/notifier/route"
	"tidings/shared/ledger"
	"tidings/shared/worker"
)

// Send implements worker.Sender for Channel. Everything it does may be done again.
func (d *Deliverer) Send(ctx context.Context, a worker.Attempt) (worker.Outcome, error) {
	err := d.send(ctx, a)
	if errors.Is(err, errStored) || errors.Is(err, ledger.ErrUnknown) {
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
	decided, err := d.decide(ctx, r, t)
	if err != nil {
		return err
	}
	// An attempt that is not the first may find some of its work done.
	return d.carryOut(ctx, r, decided, a.Number > 1)
}

// requestFor returns the notification of a task.
func (d *Deliverer) requestFor(ctx context.Context, id string, t task) (request, error) {
	if t.Entry == nil {
		return d.request(ctx, id)
	}
	e := *t.Entry
	e.Seq = t.Seq
	return requestOf(id, e)
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
// makes and puts there.
func (d *Deliverer) decide(ctx context.Context, r request, t task) ([]decision, error) {
	made, err := d.make(ctx, r, t)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(made)
	if err != nil {
		return nil, fmt.Errorf("json.Marshal: %w", err)
	}
	e := ledger.Entry{At: d.cfg.Now().UTC(), Kind: ledger.KindRouted, Part: t.Part, Body: body}
	stored, fresh, err := d.cfg.Ledger.Put(ctx, r.notification.ID, r.seq, e)
	if err != nil {
		return nil, fmt.Errorf("store the decisions: %w", err)
	}
	if fresh {
		return made, nil
	}
	var before []decision
	if err := json.Unmarshal(stored.Body, &before); err != nil {
		return nil, fmt.Errorf("%w: decisions: %w", errStored, err)
	}
	if len(before) != len(made) {
		return nil, fmt.Errorf("%w: %d decisions for %d people", errStored, len(before), len(made))
	}
	for i := range before {
		before[i].who = made[i].who
	}
	return before, nil
}

// make asks Route about every person of a task.
func (d *Deliverer) make(ctx context.Context, r request, t task) ([]decision, error) {
	users := t.Users
	if t.Kind == kindResume {
		users = []string{t.User}
	}
	known, prefs, err := d.about(ctx, users)
	if err != nil {
		return nil, err
	}
	inline := inlined(r.notification)
	out := make([]decision, len(users))
	err = each(ctx, len(users), func(ctx context.Context, i int) error {
		user := users[i]
		who := route.Person{User: user}.With(known[user].Person).With(inline[user])
		deliveries, err := d.ask(ctx, r, t, who, prefs[user])
		if err != nil {
			return fmt.Errorf("user %s: %w", user, err)
		}
		out[i] = decision{User: user, Deliveries: deliveries, who: who}
		return nil
	})
	return out, err
}

// about reads what is known of people and what they prefer, both at once.
func (d *Deliverer) about(ctx context.Context, users []string) (known map[string]people.Record, prefs map[string]route.Preferences, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if known, err = d.cfg.People.Many(ctx, users); err != nil {
			return fmt.Errorf("read the people: %w", err)
		}
		return nil
	})
	g.Go(func() (err error) {
		if prefs, err = d.cfg.People.ManyPreferences(ctx, users); err != nil {
			return fmt.Errorf("read the preferences: %w", err)
		}
		return nil
	})
	err = g.Wait()
	return known, prefs, err
}

// inlined returns what the sender gave of people's addresses.
func inlined(n route.Notification) map[string]route.Person {
	out := map[string]route.Person{}
	for _, to := range n.To {
		if to.Topic == "" {
			out[to.User] = to.Person
		}
	}
	return out
}

// ask asks Route, or Resume, about one person, and keeps the history it answers with.
func (d *Deliverer) ask(ctx context.Context, r request, t task, who route.Person, prefs route.Preferences) (out []route.Delivery, err error) {
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
