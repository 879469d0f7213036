package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/services/notifier/route"
	"tidings/shared/httpx"
	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// peopleBytes bounds the bucket of records: some million people.
	peopleBytes = 1 << 30
	// prefsBytes bounds the bucket of preferences: few people change any.
	prefsBytes = 256 << 20
	// prefsHistory is how many states of somebody's preferences are kept, so that what
	// was changed by mistake can be looked up.
	prefsHistory = 5
	// tries is how often a change is made again because somebody else was faster.
	tries = 20
	// pauseMost is the longest pause before that: some of the round trips that the
	// others need.
	pauseMost = 20 * time.Millisecond
	// writers is how many requests one call makes at the same time: enough to hide the
	// way to the server and back, few enough for other callers.
	writers = 32
)

// CodeContended is the code of the problem that a change which was always overtaken by
// others ends in.
const CodeContended = "contended"

// ErrUnreadable says that a record or somebody's preferences are not what this package
// wrote: somebody else did.
var ErrUnreadable = errors.New("what is stored cannot be read")

// People is everybody who is known. Make one with Open.
type People struct {
	people, prefs *bucket
}

// Open returns the people of a space, and makes the buckets if they are not there; an
// existing one stays as it is. replicas is the number of copies, 1, 3 or 5. Errors wrap
// those of natsx.
func Open(ctx context.Context, conn *natsx.Conn, space subject.Space, replicas int) (*People, error) {
	p := &People{
		people: newBucket(conn, jetstream.KeyValueConfig{
			Bucket: space.Stream("people"), Description: "Tidings: people and their rooms",
			MaxBytes: peopleBytes, Storage: jetstream.FileStorage, Replicas: replicas,
		}),
		prefs: newBucket(conn, jetstream.KeyValueConfig{
			Bucket: space.Stream("prefs"), Description: "Tidings: what people prefer", History: prefsHistory,
			MaxBytes: prefsBytes, Storage: jetstream.FileStorage, Replicas: replicas,
		}),
	}
	for _, b := range []*bucket{p.people, p.prefs} {
		if err := b.open(ctx); err != nil {
			return nil, natsx.Classify(err)
		}
	}
	return p, nil
}

// recordKey is the key of a person's record, and memberKey that of their membership in a
// room: both parts are one token, so that either can be a wildcard.
func recordKey(user string) string { return "p." + subject.Escape(user) }

func memberKey(topic subject.Topic, user string) string {
	return "m." + subject.Escape(string(topic)) + "." + subject.Escape(user)
}

// known reports whether there can be such a user.
func known(user string) bool {
	return user != "" && route.Person{User: user}.Check() == nil
}

// Put stores what is known of a person in place of what was. It is complete when it
// returns nil; after an error it may be so, and to put it again does no harm. Errors are
// those of Record.Check, an *httpx.Problem with CodeContended, or wrap those of natsx.
func (p *People) Put(ctx context.Context, r Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	old, err := p.people.last(ctx, recordKey(r.User))
	if err != nil {
		return err
	}
	return p.put(ctx, r, old)
}

// Edit changes what is known of a person, who begins with the user alone if that is
// nothing, and returns the result. edit may be called again when somebody else was
// faster. Errors are those of Put, or wrap ErrUnreadable.
func (p *People) Edit(ctx context.Context, user string, edit func(*Record)) (Record, error) {
	if err := (route.Person{User: user}).Check(); err != nil {
		return Record{}, err
	}
	for range tries {
		old, err := p.people.last(ctx, recordKey(user))
		if err != nil {
			return Record{}, err
		}
		r, err := decodeRecord(old)
		if err != nil {
			return Record{}, err
		}
		r.User = user
		edit(&r)
		if err := r.Check(); err != nil {
			return Record{}, err
		}
		data, err := json.Marshal(r)
		if err != nil {
			return Record{}, fmt.Errorf("encode a person: %w", err)
		}
		if err = p.replace(ctx, r, data, old); !errors.Is(err, errConflict) {
			return r, err
		}
		if err := pause(ctx); err != nil {
			return Record{}, err
		}
	}
	return Record{}, contended()
}

// put stores a record in place of an older one.
func (p *People) put(ctx context.Context, r Record, old entry) error {
	r.Topics = slices.Sorted(slices.Values(r.Topics))
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a person: %w", err)
	}
	for range tries {
		err := p.replace(ctx, r, data, old)
		if !errors.Is(err, errConflict) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
		if old, err = p.people.last(ctx, recordKey(r.User)); err != nil {
			return err
		}
	}
	return contended()
}

// replace stores a record, if the older one is still there, with its memberships.
func (p *People) replace(ctx context.Context, r Record, data []byte, old entry) error {
	was, _ := decodeRecord(old) // what cannot be read has no rooms that anybody could know
	// A room that is new here gets a marker even if there is one: it may be about to be
	// taken away by whoever wrote the older record.
	err := each(ctx, without(r.Topics, was.Topics), func(ctx context.Context, t subject.Topic) error {
		return p.people.mark(ctx, memberKey(t, r.User))
	})
	if err != nil {
		return err
	}
	rev, err := p.people.put(ctx, recordKey(r.User), data, old.rev)
	if err != nil {
		return err
	}
	// A marker after this record is that of a later one and stays.
	return each(ctx, without(was.Topics, r.Topics), func(ctx context.Context, t subject.Topic) error {
		return p.people.remove(ctx, memberKey(t, r.User), rev)
	})
}

// without returns what is in list and not in others.
func without(list, others []subject.Topic) []subject.Topic {
	return slices.DeleteFunc(slices.Clone(list), func(t subject.Topic) bool { return slices.Contains(others, t) })
}

// pause lets the others go on.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("change a person: %w", ctx.Err())
	case <-time.After(rand.N(pauseMost)):
		return nil
	}
}

func contended() error {
	return httpx.NewProblem(http.StatusServiceUnavailable, CodeContended, "Too many others are changing the same at once.").
		WithHint("Nothing was changed. Try again a little later.").WithRetryAfter(time.Second)
}

// Import stores many records, MaxBatch at most. After an error some may be stored, and to
// import them all again does no harm. Errors are those of Put.
func (p *People) Import(ctx context.Context, list []Record) error {
	if len(list) > MaxBatch {
		return tooMany()
	}
	keys := make([]string, len(list))
	for i, r := range list {
		if err := r.Check(); err != nil {
			return err
		}
		keys[i] = recordKey(r.User)
	}
	// What a replica says may be old; then the first try conflicts and the leader is asked.
	slices.Sort(keys)
	old, err := p.people.lasts(ctx, slices.Compact(keys))
	if err != nil {
		return err
	}
	return each(ctx, list, func(ctx context.Context, r Record) error {
		return p.put(ctx, r, old[recordKey(r.User)])
	})
}

// Of returns what is known of a person, and whether anything is. Errors wrap
// ErrUnreadable or those of natsx.
func (p *People) Of(ctx context.Context, user string) (Record, bool, error) {
	if !known(user) {
		return Record{}, false, nil
	}
	e, err := p.people.last(ctx, recordKey(user))
	if err != nil || e.value == nil {
		return Record{}, false, err
	}
	r, err := decodeRecord(e)
	if err != nil {
		return Record{}, false, err
	}
	return r, true, nil
}

// Many returns what is known of some people, by user; those of whom nothing is known are
// left out. If some of it cannot be read, the error wraps ErrUnreadable and the rest is
// there all the same. Other errors wrap those of natsx.
func (p *People) Many(ctx context.Context, users []string) (map[string]Record, error) {
	return many(ctx, p.people, users, recordKey, decodeRecord)
}

// many reads the values of some users.
func many[T any](ctx context.Context, b *bucket, users []string, keyOf func(string) string, decode func(entry) (T, error)) (map[string]T, error) {
	byKey := make(map[string]string, len(users))
	for _, user := range users {
		if known(user) {
			byKey[keyOf(user)] = user
		}
	}
	keys := make([]string, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	entries, err := b.lasts(ctx, keys)
	if err != nil {
		return nil, err
	}
	found := make(map[string]T, len(entries))
	var faults []error
	for key, e := range entries {
		v, err := decode(e)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		found[byKey[key]] = v
	}
	return found, errors.Join(faults...)
}

// decodeRecord reads a stored record. It is not strict: a newer release may have written
// more.
func decodeRecord(e entry) (Record, error) {
	if e.value == nil {
		return Record{}, nil
	}
	var r Record
	if err := json.Unmarshal(e.value, &r); err != nil {
		return Record{}, fmt.Errorf("%w: the record %s: %w", ErrUnreadable, e.key, err)
	}
	return r, nil
}

// Erase removes all that is known of a person: the record, the memberships and the
// preferences with all their past. After an error some may be left; call it again. What
// is put at the same time comes afterwards. Errors wrap those of natsx.
func (p *People) Erase(ctx context.Context, user string) error {
	if !known(user) {
		return nil
	}
	// The markers are found by themselves: the record may be gone already, and name less.
	markers, last, err := p.people.keys(ctx, "m.*."+subject.Escape(user))
	if err != nil {
		return err
	}
	if err := p.people.remove(ctx, recordKey(user), 0); err != nil {
		return err
	}
	if err := p.prefs.remove(ctx, prefsKey(user), 0); err != nil {
		return err
	}
	return each(ctx, markers, func(ctx context.Context, key string) error {
		return p.people.remove(ctx, key, last+1)
	})
}

// each does something for each of a list, some at the same time, and returns the first
// error after all that began have ended. After one it begins no others.
func each[T any](ctx context.Context, list []T, do func(context.Context, T) error) error {
	if len(list) == 1 {
		return do(ctx, list[0])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan T)
	var wg sync.WaitGroup
	for range min(writers, len(list)) {
		wg.Go(func() {
			for v := range next {
				if err := do(ctx, v); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, v := range list {
		select {
		case next <- v:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("not all was done: %w", context.Cause(ctx))
	}
	return nil
}
