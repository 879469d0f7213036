package deliver

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"tidings/services/notifier/people"
	"tidings/services/notifier/route"
)

// person is somebody a notification goes to, as they are on file now and as the sender
// described them.
type person struct {
	route.Person
	prefs route.Preferences
	// unreadable says that something on file can't be read.
	unreadable bool
}

// find reads what is known of people and what they prefer, both at once.
func (d *Deliverer) find(ctx context.Context, n route.Notification, users []string) ([]person, error) {
	var (
		known map[string]people.Record
		prefs map[string]route.Preferences
		bad   [2]bool
	)
	g, within := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		known, err = d.cfg.People.Many(within, users)
		bad[0] = errors.Is(err, people.ErrUnreadable)
		return err
	})
	g.Go(func() (err error) {
		prefs, err = d.cfg.People.ManyPreferences(within, users)
		bad[1] = errors.Is(err, people.ErrUnreadable)
		return err
	})
	if err := g.Wait(); err != nil && !bad[0] && !bad[1] {
		return nil, fmt.Errorf("read the people: %w", err)
	}
	if bad[0] || bad[1] {
		return d.findEach(ctx, n, users)
	}
	inline := inlined(n)
	out := make([]person, len(users))
	for i, u := range users {
		out[i] = person{Person: route.Person{User: u}.With(known[u].Person).With(inline[u]), prefs: prefs[u]}
	}
	return out, nil
}

// findEach is find for people one by one, where something of some of them can't be read.
func (d *Deliverer) findEach(ctx context.Context, n route.Notification, users []string) ([]person, error) {
	inline := inlined(n)
	out := make([]person, len(users))
	err := each(ctx, len(users), func(ctx context.Context, i int) error {
		user := users[i]
		known, _, err := d.cfg.People.Of(ctx, user)
		prefs, _, err2 := d.cfg.People.Preferences(ctx, user)
		out[i] = person{Person: route.Person{User: user}.With(known.Person).With(inline[user]), prefs: prefs}
		for _, err := range []error{err, err2} {
			switch {
			case errors.Is(err, people.ErrUnreadable):
				out[i].unreadable = true
				d.log.Error("somebody can't be notified", "user", user, "err", err)
			case err != nil:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the people: %w", err)
	}
	return out, nil
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
