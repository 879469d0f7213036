package notifier

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings/services/notifier/deliver"
	"tidings/services/notifier/inbox"
	"tidings/services/notifier/people"
	"tidings/services/notifier/planner"
	"tidings/services/notifier/route"
	"tidings/shared/ledger"
	"tidings/shared/natsx"
	"tidings/shared/notice"
	"tidings/shared/template"
)

const (
	// maxSeries bounds the id of a recurring notification in bytes: what comes of it is
	// named by the same id, a dash and the seconds since 1970.
	maxSeries = ledger.MaxID - len("-9999999999")
	// largestNumber is the longest that an item's number in an inbox gets.
	largestNumber = 1<<53 - 1
)

// candidate is a notification that was checked, with the people it goes to. It may have
// no id yet.
type candidate struct {
	notification route.Notification
	users        []string
}

// draft is a notification of a request while it is checked, or why it cannot be.
type draft struct {
	candidate
	err error
}

// check parses and checks notifications. Either all are sound, or the error tells what
// is wrong; nothing has been stored then.
func (n *Notifier) check(ctx context.Context, q request) ([]candidate, error) {
	drafts := make([]draft, len(q.documents))
	var ask []string
	for i, doc := range q.documents {
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
	for i := range drafts {
		d := &drafts[i]
		if d.err == nil {
			d.users, d.err = n.checkOne(ctx, d.notification, known)
		}
		if _, faults := errors.AsType[*route.FaultsError](d.err); d.err != nil && !faults {
			return nil, within(q.place(i), d.err)
		}
	}
	if err := n.recall(ctx, q, drafts); err != nil {
		return nil, err
	}
	return judge(q, drafts)
}

// recall looks for notifications that were accepted before, by the ids that are known.
// What was is a duplicate, whatever became of its time and its people since. In a batch
// an id of another one is found before any of it is stored; for a single one that is seen
// when it is.
func (n *Notifier) recall(ctx context.Context, q request, drafts []draft) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(acceptAtOnce)
	for i := range drafts {
		d, id := &drafts[i], drafts[i].notification.ID
		if d.err != nil {
			if id = idOf(q.documents[i]); id == "" && q.again {
				id = q.ids[i]
			}
		} else if !q.batch {
			continue
		}
		if id != "" {
			g.Go(func() error { return n.recallOne(ctx, id, q.documents[i], d) })
		}
	}
	return g.Wait()
}

func (n *Notifier) recallOne(ctx context.Context, id string, document []byte, d *draft) error {
	stored, found, err := n.cfg.Ledger.Part(ctx, id, deliver.RequestPart)
	if err != nil || !found {
		return err
	}
	before := d.candidate
	if d.err != nil {
		p, err := route.ParseNotification(document, stored.At)
		if err != nil {
			return nil //nolint:nilerr // what was wrong then is wrong now, and d tells of it
		}
		p.ID = id
		before.notification = p
	}
	body, err := natsx.Encode(before.notification)
	if err != nil {
		return err
	}
	if !same(stored.Body, body) {
		if d.err == nil {
			d.err = conflict(id)
		}
		return nil
	}
	if d.err != nil {
		before.users, _, err = n.deliver.Recipients(ctx, before.notification)
		if errors.Is(err, deliver.ErrTooMany) {
			return nil
		}
		d.candidate, d.err = before, nil
	}
	return err
}

// idOf reads the id of a document that may be wrong otherwise.
func idOf(document []byte) string {
	var p struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(document, &p) != nil {
		return ""
	}
	return p.ID
}

// judge returns the notifications if all of them are sound.
func judge(q request, drafts []draft) ([]candidate, error) {
	out := make([]candidate, 0, len(drafts))
	all := &route.FaultsError{What: "notification"}
	var other error
	seen := map[string]int{}
	for i, d := range drafts {
		if faults, ok := errors.AsType[*route.FaultsError](d.err); ok {
			all.Add(q.place(i), faults)
			continue
		}
		if d.err != nil && other == nil {
			other = within(q.place(i), d.err)
		}
		id := d.notification.ID
		if first, twice := seen[id]; twice && id != "" {
			all.Add(q.place(i), &route.FaultsError{Faults: []route.Fault{{Param: "id", Code: route.CodeDuplicate, Detail: "is that of [" + strconv.Itoa(first) + "], too"}}})
		}
		seen[id] = i
		out = append(out, d.candidate)
	}
	if len(all.Faults) > 0 {
		return nil, all
	}
	return out, other
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
	if parsed.Repeat != nil && len(parsed.ID) > maxSeries {
		faults = append(faults, route.Fault{Param: "id", Code: route.CodeTooLong, Detail: "of a recurring notification has over " + strconv.Itoa(maxSeries) + " bytes"})
	}
	users, more, err := n.checkRecipients(ctx, parsed, known)
	if err != nil {
		return nil, err
	}
	faults = append(faults, more...)
	if len(faults) == 0 {
		faults = n.checkText(parsed, longest(parsed, users, known))
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

// checkText checks that what becomes of a notification can be stored. A template is
// rendered once for every language there is, so that the sender hears of a missing field
// and not the dead letters.
func (n *Notifier) checkText(p route.Notification, who route.Person) []route.Fault {
	if p.Template == "" {
		return n.checkSize(p, who, p.Title, p.Body)
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
	for _, who.Locale = range locales {
		in := deliver.Input(p, who, n.cfg.Now())
		err := set.Check(p.Template, in)
		if missing, ok := errors.AsType[*template.MissingError](err); ok {
			return []route.Fault{{Param: "data." + missing.Key, Code: route.CodeMissing, Detail: "is needed by the template"}}
		}
		var title, body string
		if err == nil {
			title, body, err = set.Text(p.Template, in)
		}
		if err != nil {
			return []route.Fault{{Param: "data", Code: "template_failed", Detail: "does not go with the template: " + err.Error()}}
		}
		if faults := n.checkSize(p, who, title, body); faults != nil {
			return faults
		}
	}
	return nil
}

// longest is the person of whom there is the most to write.
func longest(p route.Notification, users []string, known map[string]people.Record) route.Person {
	said := make(map[string]route.Person, len(p.To))
	for _, to := range p.To {
		said[to.User] = to.Person
	}
	var out route.Person
	most := -1
	for _, u := range users {
		who := route.Person{User: u, Name: u}.With(known[u].Person).With(said[u])
		if size := len(who.User) + len(who.Name) + len(who.Email) + len(who.Phone); size > most {
			out, most = who, size
		}
	}
	return out
}

// planOverhead is what an entry of the plan has around a notification, in bytes.
const planOverhead = 1 << 10

// checkSize builds what is made of a notification for somebody, to see that it fits: the
// item of an inbox, and what the other channels get to say.
func (n *Notifier) checkSize(p route.Notification, who route.Person, title, body string) []route.Fault {
	id, now := strings.Repeat("x", ledger.MaxID), n.cfg.Now().UTC()
	item := inbox.Item{
		N: largestNumber, ID: id, At: now, Category: p.Category, Severity: string(p.Severity), Title: title, Body: body,
		Data: p.Data, Collapse: p.Collapse, Expires: p.Expires,
	}
	message := notice.Message{
		Notification: id, Category: p.Category, Severity: string(p.Severity), Title: p.Title, Body: p.Body, Template: p.Template,
		Data: p.Data, Collapse: p.Collapse, At: now, Transactional: true, Duplicates: true,
		Person: notice.Person{User: who.User, Name: who.Name, Email: who.Email, Phone: who.Phone, Locale: who.Locale, TZ: who.TZ},
	}
	for _, a := range p.Actions {
		item.Actions = append(item.Actions, inbox.Action{ID: a.ID, Label: a.Label, URL: a.URL})
		message.Actions = append(message.Actions, notice.Action{ID: a.ID, Label: a.Label, URL: a.URL})
	}
	stored, most := "an entry of the ledger", ledger.MaxBody
	if p.Repeat != nil || p.At.After(now) {
		stored, most = "an entry of the plan", planner.MaxBody-planOverhead
	}
	for _, made := range []struct {
		what string
		is   any
		most int
	}{
		{"an item of an inbox", item, inbox.MaxItem},
		{"a message", message, notice.MaxPayload},
		{stored, p, most},
	} {
		data, err := natsx.Encode(made.is)
		if err == nil && len(data) <= made.most {
			continue
		}
		param := "body"
		if len(p.Data) > len(p.Body) {
			param = "data"
		}
		if made.what == stored && len(p.Data)+len(p.Body) < most/2 {
			param = "to"
		}
		return []route.Fault{{Param: param, Code: route.CodeTooLong, Detail: "makes " + made.what + " of over " + strconv.Itoa(made.most) + " bytes"}}
	}
	return nil
}
