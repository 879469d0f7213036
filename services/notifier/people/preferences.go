package people

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tidings/services/notifier/route"
	"tidings/shared/subject"
)

// prefsKey is the key of a user's preferences.
func prefsKey(user string) string { return subject.Escape(user) }

// Preferences returns what a person prefers, and its revision; who never said anything
// prefers nothing, at the revision 0. Errors wrap ErrUnreadable or those of natsx.
func (p *People) Preferences(ctx context.Context, user string) (route.Preferences, uint64, error) {
	if !known(user) {
		return route.Preferences{}, 0, nil
	}
	e, err := p.prefs.last(ctx, prefsKey(user))
	if err != nil {
		return route.Preferences{}, 0, err
	}
	prefs, err := decodePreferences(e)
	return prefs, e.rev, err
}

// ManyPreferences returns what some people prefer, by user; those who never said anything
// are left out. If some of it cannot be read, the error wraps ErrUnreadable and the rest
// is there all the same: those who are missing then may have turned everything off. Other
// errors wrap those of natsx.
func (p *People) ManyPreferences(ctx context.Context, users []string) (map[string]route.Preferences, error) {
	return many(ctx, p.prefs, users, prefsKey, decodePreferences)
}

// Patch changes what a person prefers by a JSON merge patch, and returns the result. Of
// two patches at the same time both are done. Errors are those of
// route.Preferences.Merge, an *httpx.Problem with CodeContended, or wrap ErrUnreadable or
// those of natsx.
func (p *People) Patch(ctx context.Context, user string, patch []byte) (route.Preferences, error) {
	if err := (route.Person{User: user}).Check(); err != nil {
		return route.Preferences{}, fmt.Errorf("whose preferences: %w", err)
	}
	for range tries {
		next, err := p.patch(ctx, user, patch)
		if !errors.Is(err, errConflict) {
			return next, err
		}
		if err := pause(ctx); err != nil {
			return route.Preferences{}, err
		}
	}
	return route.Preferences{}, contended()
}

// patch tries it once.
func (p *People) patch(ctx context.Context, user string, patch []byte) (route.Preferences, error) {
	old, err := p.prefs.last(ctx, prefsKey(user))
	if err != nil {
		return route.Preferences{}, err
	}
	prefs, err := decodePreferences(old)
	if err != nil {
		return route.Preferences{}, err
	}
	if prefs, err = prefs.Merge(patch); err != nil {
		return route.Preferences{}, err
	}
	data, err := json.Marshal(prefs)
	if err != nil {
		return route.Preferences{}, fmt.Errorf("encode preferences: %w", err)
	}
	if bytes.Equal(data, old.value) {
		return prefs, nil
	}
	if _, err := p.prefs.put(ctx, prefsKey(user), data, old.rev); err != nil {
		return route.Preferences{}, err
	}
	return prefs, nil
}

// decodePreferences reads stored preferences. It is not strict: a newer release may have
// written more.
func decodePreferences(e entry) (route.Preferences, error) {
	var prefs route.Preferences
	if e.value == nil {
		return prefs, nil
	}
	if err := json.Unmarshal(e.value, &prefs); err != nil {
		return route.Preferences{}, fmt.Errorf("%w: the preferences of %s: %w", ErrUnreadable, e.key, err)
	}
	return prefs, nil
}
