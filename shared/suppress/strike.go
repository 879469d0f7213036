package suppress

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	// MaxWindow is the longest time over which strikes are counted: older ones end by
	// themselves.
	MaxWindow = 30 * 24 * time.Hour
	// MaxStrikes is how many strikes of an address are kept at most; the oldest go first.
	MaxStrikes = 50
	// maxStrikeID is the longest id of a strike in bytes; longer ones are cut off.
	maxStrikeID = 64
	// strikeValueBytes bounds a value; MaxStrikes strikes fit, however they are escaped.
	strikeValueBytes = 32 << 10
	// strikeBytes bounds the bucket: about a million addresses in trouble at a time.
	strikeBytes = 256 << 20
)

// strike is something that is no reason to suppress an address, unless it happens often.
type strike struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// Strike notes that a message to an address came back although the address exists, and
// returns how often that happened within window up to now, this time included. The id
// says which message it was: the same one twice counts once, so that a report may be
// processed again. A window over MaxWindow is MaxWindow. Errors wrap ErrAddress,
// ErrBusy or those of natsx.
func (l *List) Strike(ctx context.Context, channel, hash, id string, window time.Duration) (int, error) {
	key, err := keyOf(channel, hash)
	if err != nil {
		return 0, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	id = cut(strings.ToValidUTF8(id, "\uFFFD"), maxStrikeID)
	count := 0
	err = l.strikes.change(ctx, "note a strike", key, func(old []byte) ([]byte, error) {
		var known, all []strike
		if len(old) > 0 && json.Unmarshal(old, &known) != nil {
			known = nil // by hand; counting begins anew
		}
		fresh := true
		for _, s := range known {
			if s.At.Before(now.Add(-min(window, MaxWindow))) {
				continue
			}
			all = append(all, s)
			fresh = fresh && s.ID != id
		}
		if count = len(all); !fresh {
			return nil, nil
		}
		count++
		all = append(all, strike{id, now})
		all = all[max(0, len(all)-MaxStrikes):]
		value, err := json.Marshal(all)
		if err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		return value, nil
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}
