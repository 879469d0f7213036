package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tidings/services/notifier/route"
	"tidings/shared/subject"
	"tidings/shared/worker"
)

// Erase forgets what is planned and collected for a person, and the dead letters to them.
// It may be called again after an error. Jobs that wait to be sent are not found by the
// person; they are sent, and gone.
func (d *Deliverer) Erase(ctx context.Context, user string) error {
	if _, err := d.cfg.Planner.CancelUser(ctx, user); err != nil {
		return fmt.Errorf("erase what is planned: %w", err)
	}
	digests, err := d.cfg.History.digests(ctx, user)
	if err != nil {
		return fmt.Errorf("erase digests: %w", err)
	}
	for _, id := range digests {
		if err := d.cfg.Planner.Forget(ctx, id, 0); err != nil {
			return fmt.Errorf("erase a digest: %w", err)
		}
	}
	for after, more := uint64(0), true; more; {
		page, err := d.cfg.Queue.List(ctx, worker.Filter{}, after, worker.MaxLetters)
		if err != nil {
			return fmt.Errorf("erase dead letters: %w", err)
		}
		for _, l := range page.Letters {
			if l.Job == nil || l.Job.Recipient != user {
				continue
			}
			if err := d.cfg.Queue.Drop(ctx, l.Seq); err != nil {
				return fmt.Errorf("erase a dead letter: %w", err)
			}
		}
		after, more = page.Next, page.More
	}
	if err := d.cfg.History.erase(ctx, user); err != nil {
		return fmt.Errorf("erase the history: %w", err)
	}
	return nil
}

// digests returns the ids of the digests that are being filled for a person.
func (h *History) digests(ctx context.Context, user string) (ids []string, err error) {
	keys, err := h.bucket.Keys(ctx, historyKey(user, "")+"*")
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		data, _, err := h.bucket.Read(ctx, k)
		if err != nil {
			return nil, err
		}
		_, token, _ := strings.Cut(k, ".")
		category, err := subject.Unescape(token)
		var have route.History
		if err != nil || json.Unmarshal(data, &have) != nil {
			continue // nobody can tell what it was; it is erased all the same
		}
		for c, s := range have.Digests {
			if s.Count > 0 {
				ids = append(ids, route.DigestID(user, category, c, s))
			}
		}
	}
	return ids, nil
}
