package notifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"tidings/services/notifier/deliver"
	"tidings/services/notifier/people"
	"tidings/services/notifier/route"
	"tidings/shared/httpx"
	"tidings/shared/ledger"
	"tidings/shared/template"
)

const (
	// MaxBatch is the most notifications of one request.
	MaxBatch = 100
	// acceptAtOnce is how many notifications of a request are stored at the same time.
	acceptAtOnce = 16
)

// Accepted is the answer about one notification. Its JSON is part of the API.
type Accepted struct {
	// ID names it from now on.
	ID string `json:"id"`
	// Recipients is how many people it goes to. Of one that is for later, those it would
	// go to now.
	Recipients int `json:"recipients"`
	// At is when it begins, if that is later.
	At time.Time `json:"at,omitzero"`
	// Duplicate says that it was accepted before.
	Duplicate bool `json:"duplicate"`
}

// candidate is a notification that was checked, with the people it goes to. It may have
// no id yet.
type candidate struct {
	notification route.Notification
	users        []string
}

// draft is a notification that was parsed, or why it cannot be.
type draft struct {
	notification route.Notification
	err          error
}

// check parses and checks notifications. Either all are sound, or the error tells what
// is wrong; nothing has been stored then.
func (n *Notifier) check(ctx context.Context, documents []json.RawMessage, batch bool) ([]candidate, error) {
	drafts := make([]draft, len(documents))
	var ask []string
	for i, doc := range documents {
		d := &drafts[i]
		if d.notification, d.err = route.ParseNotification(doc, n.cfg.Now()); d.err == nil {
			ask = append(ask, unexplained(d.notification)...)
		}
	}
	// They are looked up together: that is one question, whatever the batch.
	known, err := n.people.Many(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := make([]candidate, 0, len(documents))
	all := &route.FaultsError{What: "notification"}
	seen := map[string]int{}
	for i, d := range drafts {
		prefix := ""
		if batch {
			prefix = "[" + strconv.Itoa(i) + "]."
		}
		c := candidate{notification: d.notification}
		if d.err == nil {
			c.users, d.err = n.checkOne(ctx, d.notification, known)
		}
		if faults, ok := errors.AsType[*route.FaultsError](d.err); ok {
			all.Add(prefix, faults)
			continue
		}
		if d.err != nil {
			return nil, within(prefix, d.err)
		}
		if first, twice := seen[c.notification.ID]; twice && c.notification.ID != "" {
			all.Add(prefix, &route.FaultsError{Faults: []route.Fault{{Param: "id", Code: route.CodeDuplicate, Detail: "is that of [" + strconv.Itoa(first) + "], too"}}})
		}
		seen[c.notification.ID] = i
		out = append(out, c)
	}
	if len(all.Faults) > 0 {
		return nil, all
	}
	return out, nil
}

// unexplained are the users of whom the sender says nothing else: they must be on file.
func unexplained(p route.Notification) (users []string) {
	for _, to := range p.To {
		if to.Topic == "" && to.Person == (route.Person{User: to.User}) {
			users = append(users, to.User)
		}
	}
	return users
}

// within names the element of a batch in a problem.
func within(prefix string, err error) error {
	p, ok := errors.AsType[*httpx.Problem](err)
	if !ok || prefix == "" {
		return err
	}
	return p.WithParam(prefix + p.Param)
}

// checkOne checks what only this installation knows: its categories, templates and
// people. It returns whom the notification goes to.
func (n *Notifier) checkOne(ctx context.Context, parsed route.Notification, known map[string]people.Record) ([]string, error) {
	var faults []route.Fault
	if _, ok := n.cfg.Categories[parsed.Category]; parsed.Category != "" && !ok {
		faults = append(faults, route.Fault{Param: "category", Code: "unknown_category", Detail: "is none of this installation's"})
	}
	if parsed.Repeat != nil && n.deliver.Next(parsed, parsed.At.Add(-time.Nanosecond)).IsZero() {
		faults = append(faults, route.Fault{Param: "repeat", Code: route.CodeExpired, Detail: "would not come before \"expires\""})
	}
	users, more, err := n.checkRecipients(ctx, parsed, known)
	if err != nil {
		return nil, err
	}
	faults = append(faults, more...)
	if len(faults) == 0 {
		faults = n.checkTemplate(parsed, users)
	}
	if len(faults) > 0 {
		e := &route.FaultsError{What: "notification"}
		e.Add("", &route.FaultsError{Faults: faults})
		return nil, e
	}
	return users, nil
}

// checkRecipients finds everybody a notification goes to. A user is known if they are
// on file or if the sender says something about them; a topic if anybody is in it.
func (n *Notifier) checkRecipients(ctx context.Context, p route.Notification, known map[string]people.Record) (users []string, faults []route.Fault, err error) {
	users, nobody, err := n.deliver.Recipients(ctx, p)
	if errors.Is(err, deliver.ErrTooMany) {
		return nil, []route.Fault{{Param: "to", Code: route.CodeTooMany, Detail: "are over " + strconv.Itoa(deliver.MaxMembers) + " people in all"}}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for i, to := range p.To {
		param := "to[" + strconv.Itoa(i) + "]"
		if slices.Contains(nobody, i) {
			faults = append(faults, route.Fault{Param: param + ".topic", Code: "unknown_topic", Detail: "has no members and nobody follows it"})
		}
		if _, ok := known[to.User]; !ok && to.Topic == "" && to.Person == (route.Person{User: to.User}) {
			faults = append(faults, route.Fault{
				Param: param, Code: "unknown_user",
				Detail: "is nobody on file; PUT /v1/people/" + url.PathEscape(to.User) + " first, or give an address along: {\"user\":…,\"email\":…}",
			})
		}
	}
	return users, faults, nil
}

// checkTemplate renders the template once for every language there is, so that the
// sender hears of a missing field and not the dead letters.
func (n *Notifier) checkTemplate(p route.Notification, users []string) []route.Fault {
	if p.Template == "" {
		return nil
	}
	set := n.cfg.Templates()
	if !set.Has(p.Template) {
		return []route.Fault{{Param: "template", Code: "unknown_template", Detail: "is none of this installation's"}}
	}
	locales := []string{""}
	for _, info := range set.Names() {
		if info.Name == p.Template {
			locales = append(locales, info.Locales...)
		}
	}
	for _, locale := range locales {
		err := set.Check(p.Template, deliver.Input(p, route.Person{User: users[0], Name: users[0], Locale: locale}, n.cfg.Now()))
		if missing, ok := errors.AsType[*template.MissingError](err); ok {
			return []route.Fault{{Param: "data." + missing.Key, Code: route.CodeMissing, Detail: "is needed by the template"}}
		}
		if err != nil {
			return []route.Fault{{Param: "data", Code: "template_failed", Detail: "does not go with the template: " + err.Error()}}
		}
	}
	return nil
}

// accept stores notifications that were checked and begins with them. source says how
// they came, and ids are for those that bring none.
func (n *Notifier) accept(ctx context.Context, source string, list []candidate, ids []string) ([]Accepted, error) {
	out := make([]Accepted, len(list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(acceptAtOnce)
	for i, c := range list {
		if c.notification.ID == "" {
			c.notification.ID = ids[i]
		}
		g.Go(func() (err error) {
			out[i], err = n.acceptOne(ctx, source, c)
			return err
		})
	}
	return out, g.Wait()
}

func (n *Notifier) acceptOne(ctx context.Context, source string, c candidate) (Accepted, error) {
	body, err := json.Marshal(c.notification)
	if err != nil {
		return Accepted{}, fmt.Errorf("json.Marshal: %w", err)
	}
	id := c.notification.ID
	stored, fresh, err := n.cfg.Ledger.Put(ctx, id, ledger.Entry{
		At: n.cfg.Now().UTC(), Kind: ledger.KindRequest, Part: deliver.RequestPart, Reason: source, Body: body,
	})
	if err != nil {
		return Accepted{}, fmt.Errorf("store the notification: %w", err)
	}
	out := Accepted{ID: id, Recipients: len(c.users), At: c.notification.At, Duplicate: !fresh}
	if !fresh {
		if !bytes.Equal(stored.Body, body) {
			return Accepted{}, httpx.NewProblem(http.StatusConflict, "id_conflict", "There is another notification with the id "+strconv.Quote(id)+".").
				WithParam("id").WithHint("An id names one notification for ever. Nothing was changed.")
		}
		canceled, err := n.canceled(ctx, id)
		if err != nil || canceled {
			return out, err
		}
	}
	// Whoever asks again may do so because this was interrupted: it is idempotent.
	return out, n.begin(ctx, c, stored, &out)
}

// begin begins with a stored notification, now or when its time comes.
func (n *Notifier) begin(ctx context.Context, c candidate, stored ledger.Entry, out *Accepted) error {
	now := n.cfg.Now()
	switch p := c.notification; {
	case p.Repeat != nil:
		next, err := n.deliver.PlanNext(ctx, p, p.At.Add(-time.Nanosecond))
		out.At = next
		return err
	case p.At.After(now):
		return n.deliver.PlanBegin(ctx, p)
	default:
		out.At = time.Time{}
		return n.deliver.Begin(ctx, p.ID, stored, c.users, p.Expires)
	}
}

// newIDs returns ids for notifications that bring none.
func newIDs(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "n-" + nuid.Next()
	}
	return out
}
