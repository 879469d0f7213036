package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tidings/services/notifier/planner"
	"tidings/services/notifier/route"
	"tidings/shared/ledger"
	"tidings/shared/natsx"
	"tidings/shared/notice"
)

const (
	// digestTemplate is the template of digests.
	digestTemplate = "digest"
	// mostParts bounds how many messages one digest becomes; more than one are needed if it
	// is larger than partBytes, or if something joined it while it was being sent.
	mostParts = 16
	// partBytes bounds the items of one message: with what is around them they fit a job.
	partBytes = 128 << 10
)

// flush sends a digest: one message of all that it collected, under the digest's own id.
func (d *Deliverer) flush(ctx context.Context, id string, t task) error {
	collected, err := d.cfg.Planner.Collected(ctx, id)
	if err != nil {
		return fmt.Errorf("read the digest: %w", err)
	}
	if len(collected.Items) == 0 {
		return nil
	}
	items := make([]notice.Item, len(collected.Items))
	for i, data := range collected.Items {
		if err := json.Unmarshal(data, &items[i]); err != nil {
			return fmt.Errorf("%w: an item of the digest: %w", errStored, err)
		}
	}
	// Whoever comes from now on begins a new digest.
	err = d.cfg.History.change(ctx, t.User, t.Category, func(h route.History) (route.History, bool) {
		return h.Sent(t.User, t.Category, t.Channel, id)
	})
	if err != nil {
		return err
	}
	if items, err = d.withoutCanceled(ctx, items); err != nil {
		return err
	}
	waits := false
	for part := 0; part < mostParts && len(items) > 0; part++ {
		rest, held, err := d.sendDigest(ctx, id, part, t, items)
		if err != nil {
			return err
		}
		items, waits = rest, waits || held
	}
	if waits {
		// It is read again when it is due again.
		return nil
	}
	if err := d.cfg.Planner.Forget(ctx, id, collected.Last); err != nil {
		return fmt.Errorf("forget the digest: %w", err)
	}
	return nil
}

// withoutCanceled leaves out what was canceled after it had been collected.
func (d *Deliverer) withoutCanceled(ctx context.Context, items []notice.Item) ([]notice.Item, error) {
	gone := make([]bool, len(items))
	err := each(ctx, len(items), func(ctx context.Context, i int) (err error) {
		gone[i], err = d.canceled(ctx, items[i].Notification)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []notice.Item
	for i, it := range items {
		if !gone[i] {
			out = append(out, it)
		}
	}
	return out, nil
}

// fitting returns how many of the items, one at least, are a part.
func fitting(items []notice.Item) int {
	size := 0
	for i, it := range items {
		if size += len(it.Notification) + len(it.Title) + len(it.Body) + len(it.URL) + itemOverhead; size > partBytes && i > 0 {
			return i
		}
	}
	return len(items)
}

// itemOverhead is what the JSON of an item has beside its texts, in bytes, and then some.
const itemOverhead = 128

// sendDigest sends items, as many as fit, as the nth message of a digest, and returns what
// belongs into the next one: if this message was made before, it has the items it was made
// of. held says that it waits for a better time.
func (d *Deliverer) sendDigest(ctx context.Context, digest string, part int, t task, items []notice.Item) (rest []notice.Item, held bool, err error) {
	id := digest
	if part > 0 {
		id += "-" + strconv.Itoa(part+1)
	}
	n := route.Notification{
		To: []route.Recipient{{Person: route.Person{User: t.User}}}, ID: id, Category: t.Category,
		Template: digestTemplate, Severity: route.Normal,
	}
	all := items
	items, rest = items[:fitting(items)], items[fitting(items):]
	if n.Data, err = natsx.Encode(map[string]any{"items": items}); err != nil {
		return nil, false, err
	}
	body, err := natsx.Encode(n)
	if err != nil {
		return nil, false, err
	}
	stored, fresh, err := d.cfg.Ledger.Put(ctx, id, ledger.Entry{
		At: d.cfg.Now().UTC(), Kind: ledger.KindRequest, Part: RequestPart, Reason: "digest", User: t.User, Body: body,
	})
	if err != nil {
		return nil, false, fmt.Errorf("store the digest: %w", err)
	}
	if !fresh {
		if items, rest, err = remainder(stored, all); err != nil {
			return nil, false, err
		}
	}
	held, err = d.decideDigest(ctx, request{notification: n, at: stored.At}, digest, t, items)
	return rest, held, err
}

// remainder returns what a digest that was stored before is made of, and what of items
// is not in it.
func remainder(stored ledger.Entry, items []notice.Item) (was, rest []notice.Item, err error) {
	var n route.Notification
	var data struct {
		Items []notice.Item `json:"items"`
	}
	if err := json.Unmarshal(stored.Body, &n); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errStored, err)
	}
	if err := json.Unmarshal(n.Data, &data); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errStored, err)
	}
	for _, it := range items {
		if !slices.ContainsFunc(data.Items, func(o notice.Item) bool { return o.Notification == it.Notification }) {
			rest = append(rest, it)
		}
	}
	return data.Items, rest, nil
}

// decideDigest asks whether the digest may go now, and sends it, plans it anew or notes
// why it is dropped.
func (d *Deliverer) decideDigest(ctx context.Context, r request, digest string, t task, items []notice.Item) (held bool, err error) {
	found, err := d.find(ctx, r.notification, []string{t.User})
	if err != nil {
		return false, err
	}
	if found[0].unreadable {
		_, err := d.noteDigest(ctx, r, t, unreadable(task{Kind: kindResume, Channel: t.Channel})[0])
		return false, err
	}
	who, prefs := found[0].With(t.Given), found[0].prefs
	facts := route.Facts{Channels: d.cfg.Channels}
	if who.Email != "" {
		if facts.Suppressed, err = d.suppressed(ctx, route.Mail, who.Email); err != nil {
			return false, err
		}
	}
	v := route.Flush(r.notification, who, prefs, d.cfg.Categories, facts, t.Channel, d.cfg.Now())
	if v, err = d.noteDigest(ctx, r, t, v); err != nil {
		return false, err
	}
	switch v.Verdict {
	case route.Now:
		m := d.message(r, who)
		m.Data, m.Items = nil, items
		return false, d.enqueueMessage(ctx, v, m, time.Time{}, false)
	case route.Held:
		about, err := natsx.Encode(digestBody{t.Category, t.Given})
		if err != nil {
			return false, err
		}
		return true, d.plan(ctx, planner.Entry{
			Key: digest, Due: v.At, Notification: digest, User: t.User, Channel: string(t.Channel), Kind: PlanFlush, Body: about,
		})
	default:
		return false, nil
	}
}

// noteDigest puts the decision into the ledger, and returns the one that is there if it
// was made before. The time is part of its name, because a digest may be held and be due
// again.
func (d *Deliverer) noteDigest(ctx context.Context, r request, t task, v route.Delivery) (route.Delivery, error) {
	v.Address, v.Why = "", ""
	made := []decision{{User: t.User, Deliveries: []route.Delivery{v}}}
	body, err := natsx.Encode(made)
	if err != nil {
		return v, fmt.Errorf("json.Marshal: %w", err)
	}
	stored, fresh, err := d.cfg.Ledger.Put(ctx, r.notification.ID, ledger.Entry{
		At: d.cfg.Now().UTC(), Kind: ledger.KindRouted, Part: t.Part, Body: body,
	})
	if err != nil {
		return v, fmt.Errorf("store the decision: %w", err)
	}
	if fresh {
		return v, nil
	}
	if err := json.Unmarshal(stored.Body, &made); err != nil || len(made) != 1 || len(made[0].Deliveries) != 1 {
		return v, fmt.Errorf("%w: the decision about a digest", errStored)
	}
	return made[0].Deliveries[0], nil
}
