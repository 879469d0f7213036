package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"tidings/services/notifier/planner"
	"tidings/services/notifier/route"
	"tidings/shared/ledger"
	"tidings/shared/natsx"
	"tidings/shared/worker"
)

// The kinds of entries of the plan.
const (
	// PlanBegin: a notification's time has come.
	PlanBegin = "begin"
	// PlanRepeat: a recurring notification comes again.
	PlanRepeat = "repeat"
	// PlanResume: a channel that was held may go on.
	PlanResume = "resume"
	// PlanFlush: a digest is to be sent.
	PlanFlush = "flush"
	// PlanWake: an item of an inbox has been snoozed for long enough.
	PlanWake = "wake"
)

// Fire does what an entry of the plan is about. It may be called again for the same
// entry, and more than one instance may do so at the same time.
func (d *Deliverer) Fire(ctx context.Context, e planner.Entry) error {
	err := d.fire(ctx, e)
	if lasting(err) {
		// It can't be mended by trying again: what it was about has aged out.
		d.log.Warn("an entry of the plan is dropped", "kind", e.Kind, "notification", e.Notification, "err", err)
		return nil
	}
	return err
}

func (d *Deliverer) fire(ctx context.Context, e planner.Entry) error {
	switch e.Kind {
	case PlanBegin:
		return d.beginPlanned(ctx, e)
	case PlanRepeat:
		return d.repeat(ctx, e)
	case PlanResume:
		r, about, err := d.planned(ctx, e)
		if err != nil {
			return err
		}
		return d.queue(ctx, e.Notification, resumeTask(e, about), r.notification.Expires)
	case PlanFlush:
		var about digestBody
		if err := json.Unmarshal(e.Body, &about); err != nil {
			return fmt.Errorf("%w: %w", errStored, err)
		}
		return d.queue(ctx, e.Notification, task{
			Kind: kindFlush, Part: "flush-" + strconv.FormatInt(e.Due.UnixNano(), 36),
			User: e.User, Channel: route.Channel(e.Channel), Category: about.Category, Given: about.Given,
		}, time.Time{})
	case PlanWake:
		n, err := strconv.ParseInt(string(e.Body), 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errStored, err)
		}
		return d.cfg.Inbox.Wake(ctx, e.User, n)
	default:
		return fmt.Errorf("%w: kind %q", errStored, e.Kind)
	}
}

// queue stores the job of a task.
func (d *Deliverer) queue(ctx context.Context, id string, t task, expires time.Time) error {
	j, err := job(id, t, expires)
	if err != nil {
		return err
	}
	if _, err := d.cfg.Queue.Enqueue(ctx, j); err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	return nil
}

// planned returns the notification that an entry of the plan is about, which came along.
func (d *Deliverer) planned(ctx context.Context, e planner.Entry) (r request, about *ledger.Entry, err error) {
	if about, err = carried(e.Body); err != nil {
		return request{}, nil, err
	}
	if about == nil {
		r, err = d.request(ctx, e.Notification)
		return r, nil, err
	}
	r, err = requestOf(e.Notification, *about)
	return r, about, err
}

// beginPlanned begins with a notification whose time has come.
func (d *Deliverer) beginPlanned(ctx context.Context, e planner.Entry) error {
	r, about, err := d.planned(ctx, e)
	if err != nil {
		return err
	}
	if about != nil {
		// It may have been accepted longer ago than the ledger remembers.
		_, _, err := d.cfg.Ledger.Put(ctx, e.Notification, ledger.Entry{
			At: about.At, Kind: ledger.KindRequest, Part: RequestPart, Reason: "planned", Body: about.Body,
		})
		if err != nil {
			return fmt.Errorf("store the notification: %w", err)
		}
	}
	return d.expandAndBegin(ctx, r)
}

// expandAndBegin begins with whom the notification reaches now.
func (d *Deliverer) expandAndBegin(ctx context.Context, r request) error {
	if gone, err := d.canceled(ctx, r.notification.ID); err != nil || gone {
		return err
	}
	users, _, err := d.Recipients(ctx, r.notification)
	if err != nil {
		return err
	}
	return d.Begin(ctx, r.notification.ID, ledger.Entry{}, users, r.notification.Expires)
}

// repeat tells a recurring notification once more, as a notification of its own, and
// plans the next time.
func (d *Deliverer) repeat(ctx context.Context, e planner.Entry) error {
	series, _, err := d.planned(ctx, e)
	if err != nil {
		return err
	}
	if gone, err := d.canceled(ctx, e.Notification); err != nil || gone {
		return err
	}
	n := series.notification
	n.ID = e.Notification + "-" + strconv.FormatInt(e.Due.Unix(), 10)
	n.Repeat, n.At, n.Expires = nil, time.Time{}, time.Time{}
	body, err := natsx.Encode(n)
	if err != nil {
		return err
	}
	stored, _, err := d.cfg.Ledger.Put(ctx, n.ID, ledger.Entry{
		At: e.Due, Kind: ledger.KindRequest, Part: RequestPart, Reason: "repeat", Detail: e.Notification, Body: body,
	})
	if err != nil {
		return fmt.Errorf("store the notification: %w", err)
	}
	if err := d.expandAndBegin(ctx, request{notification: n, at: stored.At}); err != nil {
		return err
	}
	if _, err = d.PlanNext(ctx, series.notification, e.Due); err != nil {
		return err
	}
	// Whoever canceled it meanwhile has not seen what was just planned.
	if gone, err := d.canceled(ctx, e.Notification); err != nil || !gone {
		return err
	}
	_, err = d.cfg.Planner.CancelAll(ctx, e.Notification)
	return err
}

// Next returns when a recurring notification comes the next time after a moment, zero
// for never. What was missed meanwhile is told once.
func (d *Deliverer) Next(n route.Notification, after time.Time) time.Time {
	if now := d.cfg.Now(); now.After(after) {
		after = now
	}
	next := n.Repeat.Next(after)
	if !n.Expires.IsZero() && !next.Before(n.Expires) {
		return time.Time{}
	}
	return next
}

// PlanNext plans that, and returns it.
func (d *Deliverer) PlanNext(ctx context.Context, n route.Notification, after time.Time) (time.Time, error) {
	next := d.Next(n, after)
	if next.IsZero() {
		return next, nil
	}
	body, err := carry(d.cfg.Now().UTC(), n)
	if err != nil {
		return next, err
	}
	return next, d.plan(ctx, planner.Entry{Key: planKey(n.ID), Due: next, Notification: n.ID, Kind: PlanRepeat, Body: body})
}

// PlanBegin plans the beginning of a notification that is for later.
func (d *Deliverer) PlanBegin(ctx context.Context, n route.Notification) error {
	body, err := carry(d.cfg.Now().UTC(), n)
	if err != nil {
		return err
	}
	return d.plan(ctx, planner.Entry{Key: planKey(n.ID), Due: n.At, Notification: n.ID, Kind: PlanBegin, Body: body})
}

// planKey is the key of a notification's own entry in the plan.
func planKey(id string) string { return worker.KeyOf(id, "plan", "") }

// Parts of the ledger's entries: the notification itself, and the note that it was given
// up.
const (
	RequestPart  = "request"
	CanceledPart = "canceled"
)
