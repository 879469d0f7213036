package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/services/notifier/route"
	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// historyKeep is how long a person's throttles and digests are kept after the last
	// change. The longest digest is a week, and a throttle is paid off sooner.
	historyKeep = 14 * 24 * time.Hour
	// historyBytes bounds them all; a category of a person has some hundred bytes.
	historyBytes = 1 << 30
)

// History keeps what Route has to know of earlier notifications: route.History for each
// person and category. Make one with OpenHistory.
type History struct{ bucket *natsx.Bucket }

// OpenHistory makes the bucket if needed.
func OpenHistory(ctx context.Context, conn *natsx.Conn, space subject.Space, replicas int) (*History, error) {
	b, err := conn.OpenBucket(ctx, jetstream.KeyValueConfig{
		Bucket: space.Stream("history"), Description: "Tidings: throttles and digests of each person",
		TTL: historyKeep, MaxBytes: historyBytes, Storage: jetstream.FileStorage, Replicas: replicas,
	})
	if err != nil {
		return nil, err
	}
	return &History{b}, nil
}

// change has edit make a new history of the present one, again if somebody else was
// faster. One that edit returns unchanged is not written.
func (h *History) change(ctx context.Context, user, category string, edit func(route.History) (next route.History, changed bool)) error {
	return h.bucket.Change(ctx, historyKey(user, category), func(data []byte) ([]byte, error) {
		var have route.History
		if data != nil {
			if err := json.Unmarshal(data, &have); err != nil {
				return nil, fmt.Errorf("%w: history: %w", errStored, err)
			}
		}
		next, changed := edit(have)
		if !changed {
			return data, nil
		}
		return json.Marshal(next)
	})
}

func historyKey(user, category string) string {
	return subject.Escape(user) + "." + subject.Escape(category)
}

// same reports whether two histories say the same.
func same(a, b route.History) bool {
	return maps.EqualFunc(a.Debts, b.Debts, time.Time.Equal) &&
		maps.EqualFunc(a.Digests, b.Digests, func(x, y route.Collected) bool { return reflect.DeepEqual(x, y) })
}

// erase forgets a person.
func (h *History) erase(ctx context.Context, user string) error {
	keys, err := h.bucket.Keys(ctx, historyKey(user, "")+"*")
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := h.bucket.Delete(ctx, k); err != nil {
			return err
		}
	}
	return nil
}
