package auth_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tidings/shared/auth"
	"tidings/shared/subject"
)

// spyStore remembers what it was given.
type spyStore struct {
	auth.TicketStore
	mu   sync.Mutex
	puts map[string][]byte
}

func newSpy() *spyStore {
	return &spyStore{TicketStore: auth.NewMemoryTickets(0), puts: make(map[string][]byte)}
}

func (s *spyStore) Put(ctx context.Context, key string, value []byte) error {
	s.mu.Lock()
	s.puts[key] = value
	s.mu.Unlock()
	return s.TicketStore.Put(ctx, key, value)
}

// fixedStore answers every Take with the same value.
type fixedStore struct {
	auth.TicketStore
	value string
}

func (s fixedStore) Take(context.Context, string) ([]byte, error) { return []byte(s.value), nil }

func fullGrant() *auth.Grant {
	return &auth.Grant{
		User: "ann", Sub: []subject.Pattern{"room.>"}, Pub: []subject.Pattern{"room.chat.*"},
		Notify: true, Admin: true, Expires: time.Now().Add(time.Hour).UTC().Round(0), TokenID: "t-1",
	}
}

func TestTicketRoundTrip(t *testing.T) {
	t.Parallel()
	store := newSpy()
	tickets := auth.NewTickets(store, 0)
	g := fullGrant()
	before := time.Now()
	ticket, expires, err := tickets.Issue(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	if d := expires.Sub(before); d < auth.TicketTTL || d > auth.TicketTTL+time.Minute {
		t.Errorf("the ticket lives %s", d)
	}
	if len(ticket) < 22 || strings.Trim(ticket, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("ticket is %q", ticket)
	}
	for key, value := range store.puts {
		if b, err := hex.DecodeString(key); err != nil || len(b) != 32 {
			t.Errorf("key is %q", key)
		}
		if strings.Contains(key+string(value), ticket) {
			t.Error("the store holds the ticket itself")
		}
		// What a leaked store shows does not work as a ticket.
		_, err := tickets.Redeem(t.Context(), key)
		wantCode(t, err, auth.CodeTicketInvalid, key)
	}
	got, err := tickets.Redeem(t.Context(), ticket)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, g) {
		t.Errorf("redeemed %v, issued %v", got, g)
	}
	_, err = tickets.Redeem(t.Context(), ticket)
	wantCode(t, err, auth.CodeTicketInvalid, ticket)

	again, _, err := tickets.Issue(t.Context(), g)
	if err != nil || again == ticket {
		t.Fatalf("two tickets are equal, or %v", err)
	}
}

func TestTicketOneWinner(t *testing.T) {
	t.Parallel()
	tickets := auth.NewTickets(auth.NewMemoryTickets(0), 0)
	ticket, _, err := tickets.Issue(t.Context(), fullGrant())
	if err != nil {
		t.Fatal(err)
	}
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			g, err := tickets.Redeem(t.Context(), ticket)
			if err == nil && g.User == "ann" {
				wins.Add(1)
			} else if e := (*auth.Error)(nil); !errors.As(err, &e) || e.Code != auth.CodeTicketInvalid {
				t.Errorf("loser got %v", err)
			}
		})
	}
	wg.Wait()
	if n := wins.Load(); n != 1 {
		t.Fatalf("%d redeemed the ticket", n)
	}
}

func TestTicketTimes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		ttl, store time.Duration // Of the tickets and of the store.
		grant      time.Duration // Until the grant ends; 0 means never.
		wait       time.Duration
		lives      time.Duration // What Issue says.
		code       string
	}{
		{"at once", 0, 0, time.Hour, 0, auth.TicketTTL, ""},
		{"just in time", 0, 0, time.Hour, auth.TicketTTL - 1, auth.TicketTTL, ""},
		{"too late", 0, 0, time.Hour, auth.TicketTTL, auth.TicketTTL, auth.CodeTicketInvalid},
		{"too late, lazy store", time.Second, time.Hour, time.Hour, time.Second, time.Second, auth.CodeTicketInvalid},
		{"hasty store", time.Hour, time.Second, time.Hour, time.Second, time.Hour, auth.CodeTicketInvalid},
		{"grant ends first", 0, 0, time.Second, time.Second - 1, time.Second, ""},
		{"grant has ended", 0, 0, time.Second, time.Second, time.Second, auth.CodeTicketInvalid},
		{"grant without end", 0, 0, 0, time.Second, auth.TicketTTL, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tickets := auth.NewTickets(auth.NewMemoryTickets(tt.store), tt.ttl)
				g := &auth.Grant{User: "ann"}
				if tt.grant != 0 {
					g.Expires = time.Now().Add(tt.grant)
				}
				ticket, expires, err := tickets.Issue(t.Context(), g)
				if err != nil {
					t.Fatal(err)
				}
				if d := time.Until(expires); d != tt.lives {
					t.Errorf("the ticket lives %s, want %s", d, tt.lives)
				}
				pass(tt.wait)
				got, err := tickets.Redeem(t.Context(), ticket)
				if tt.code != "" {
					wantCode(t, err, tt.code, ticket)
				} else if err != nil || got.Expires.IsZero() != (tt.grant == 0) {
					t.Errorf("redeemed %v, %v", got, err)
				}
			})
		})
	}
}

func TestTicketRefused(t *testing.T) {
	t.Parallel()
	tickets := auth.NewTickets(auth.NewMemoryTickets(0), 0)
	valid, _, err := tickets.Issue(t.Context(), fullGrant())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "x", valid[1:], valid + "A", valid + "=", valid[:20] + "\n" + valid[20:], valid[:42] + "!",
		strings.Repeat("A", 43), strings.Repeat("A", 1<<20), strings.ToLower(valid),
	} {
		_, err := tickets.Redeem(t.Context(), bad)
		wantCode(t, err, auth.CodeTicketInvalid, bad)
	}
	if _, err := tickets.Redeem(t.Context(), valid); err != nil {
		t.Errorf("bad attempts spent the ticket: %v", err)
	}
	_, _, err = tickets.Issue(t.Context(), &auth.Grant{User: "ann", Expires: time.Now()})
	wantCode(t, err, auth.CodeTokenExpired, "")
	_, _, err = tickets.Issue(t.Context(), nil)
	wantCode(t, err, auth.CodeTokenExpired, "")

	broken := auth.NewTickets(brokenStore{}, 0)
	_, _, err = broken.Issue(t.Context(), fullGrant())
	if e := wantCode(t, err, auth.CodeKeysUnavailable, ""); strings.Contains(e.Reason, "store is down") {
		t.Errorf("the reason shows inner detail: %s", e.Reason)
	}
	_, err = broken.Redeem(t.Context(), valid)
	wantCode(t, err, auth.CodeKeysUnavailable, valid)
}

func TestTicketStoredValueIsChecked(t *testing.T) {
	t.Parallel()
	later, earlier := time.Now().Add(time.Hour).Format(time.RFC3339), time.Now().Add(-time.Hour).Format(time.RFC3339)
	tests := map[string]struct{ value, code string }{
		"good":              {fmt.Sprintf(`{"until":%q,"grant":{"user":"ann","expires":%q}}`, later, later), ""},
		"grant has ended":   {fmt.Sprintf(`{"until":%q,"grant":{"user":"ann","expires":%q}}`, later, earlier), auth.CodeTokenExpired},
		"ticket has ended":  {fmt.Sprintf(`{"until":%q,"grant":{"user":"ann","expires":%q}}`, earlier, later), auth.CodeTicketInvalid},
		"no ticket expiry":  {fmt.Sprintf(`{"grant":{"user":"ann","expires":%q}}`, later), auth.CodeTicketInvalid},
		"no grant expiry":   {fmt.Sprintf(`{"until":%q,"grant":{"user":"ann"}}`, later), auth.CodeTicketInvalid},
		"malformed pattern": {fmt.Sprintf(`{"until":%q,"grant":{"user":"ann","expires":%q,"sub":["x"]}}`, later, later), auth.CodeTicketInvalid},
		"malformed pub":     {fmt.Sprintf(`{"until":%q,"grant":{"user":"ann","expires":%q,"pub":["room.>.x"]}}`, later, later), auth.CodeTicketInvalid},
		"no grant":          {fmt.Sprintf(`{"until":%q}`, later), auth.CodeTicketInvalid},
		"not JSON":          {"x", auth.CodeTicketInvalid},
		"empty":             {"", auth.CodeTicketInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := auth.NewTickets(fixedStore{value: tt.value}, 0).Redeem(t.Context(), strings.Repeat("A", 43))
			if tt.code != "" {
				wantCode(t, err, tt.code, "")
			} else if err != nil || g.User != "ann" {
				t.Errorf("redeemed %v, %v", g, err)
			}
		})
	}
}

func TestMemoryTickets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := auth.NewMemoryTickets(0)
		ctx := t.Context()
		value := []byte("one")
		if err := m.Put(ctx, "a", value); err != nil {
			t.Fatal(err)
		}
		value[0] = 'x'
		if got, err := m.Take(ctx, "a"); err != nil || string(got) != "one" {
			t.Errorf("took %q, %v", got, err)
		}
		if _, err := m.Take(ctx, "a"); !errors.Is(err, auth.ErrNoTicket) {
			t.Errorf("took it twice: %v", err)
		}
		// A second Put replaces.
		_, _ = m.Put(ctx, "b", []byte("1")), m.Put(ctx, "b", []byte("2"))
		if got, err := m.Take(ctx, "b"); err != nil || string(got) != "2" {
			t.Errorf("took %q, %v", got, err)
		}
		// It is bounded, keeps what it promised, and has room again later.
		var err error
		n := 0
		for ; err == nil && n < 1<<20; n++ {
			err = m.Put(ctx, fmt.Sprint(n), nil)
		}
		if !errors.Is(err, auth.ErrTicketsFull) || n > 10_000 {
			t.Fatalf("after %d tickets: %v", n, err)
		}
		if _, err = m.Take(ctx, "0"); err != nil {
			t.Errorf("the first was pushed out: %v", err)
		}
		pass(auth.TicketTTL)
		if _, err = m.Take(ctx, "1"); !errors.Is(err, auth.ErrNoTicket) {
			t.Errorf("took an old one: %v", err)
		}
		if err = m.Put(ctx, "c", nil); err != nil {
			t.Errorf("no room after all have ended: %v", err)
		}
	})
}
