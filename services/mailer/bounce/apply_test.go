package bounce_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/services/mailer/bounce"
	"tidings/shared/suppress"
)

// proven is a report about ann that is proven.
func proven(t *testing.T, kind bounce.Kind, key string) bounce.Report {
	t.Helper()
	return bounce.Report{
		Kind: kind, Recipient: ann, Key: key, Notification: "n1", Status: "5.1.1", Diagnostic: "550 <ann@example.com>: no such user ann",
		AddressHash: must(t)(suppress.Hash("mail", ann)),
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind   bounce.Kind
		cause  string
		reason string
	}{
		{bounce.Hard, "bounced", "bounced"},
		{bounce.Complaint, "complained", "complained"},
		{bounce.Soft, "", "bounced_soft"},
		{bounce.Refused, "", "refused"},
		{bounce.Delayed, "", "delayed"},
		{bounce.Delivered, "", "delivered"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for range 2 { // twice is once
				if err := r.apply.Apply(t.Context(), proven(t, c.kind, job)); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.cause(ann); got != c.cause {
				t.Errorf("suppressed as %q, want %q", got, c.cause)
			}
			want := "n1 " + c.reason + " " + job
			if told := r.told(); !slices.Equal(told, []string{want, want}) {
				t.Errorf("told %q", told)
			}
		})
	}
}

// TestSoft: the fifth mail that came back suppresses, and the same one again does not.
func TestSoft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range bounce.DefaultSoft {
		if got := r.cause(ann); got != "" {
			t.Fatalf("suppressed after %d as %q", i, got)
		}
		for range 3 {
			if err := r.apply.Apply(t.Context(), proven(t, bounce.Soft, fmt.Sprint("job", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := r.cause(ann); got != "bounced" {
		t.Errorf("suppressed as %q", got)
	}
	if told := r.told(); !slices.Contains(told, "n1 bounced job4") || !slices.Contains(told, "n1 bounced_soft job3") {
		t.Errorf("told %q", told)
	}
}

// TestDetail: what is kept holds no address, whatever the server wrote.
func TestDetail(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	report := proven(t, bounce.Hard, job)
	report.Diagnostic = "550 5.1.1 <ann@example.com>: no such user 'Ann' (ann%40example.com) " + strings.Repeat("ä", 500)
	report.At = time.Now().Add(100 * time.Hour)
	if err := r.apply.Apply(t.Context(), report); err != nil {
		t.Fatal(err)
	}
	entries, err := r.list.Of(t.Context(), "mail", ann)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	e := entries[0]
	if !strings.HasPrefix(e.Detail, "550 5.1.1 [address] no such user [address] [address] ä") || len(e.Detail) > suppress.MaxDetail {
		t.Errorf("detail %q", e.Detail)
	}
	if time.Until(e.At) > time.Minute {
		t.Errorf("at %v", e.At)
	}
}

// TestUnnamed: a report that proves the key only suppresses, and tells nobody.
func TestUnnamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	report := proven(t, bounce.Hard, job)
	report.Notification = ""
	if err := r.apply.Apply(t.Context(), report); err != nil || r.cause(ann) != "bounced" {
		t.Errorf("suppressed as %q, %v", r.cause(ann), err)
	}
	if told := r.told(); len(told) != 0 {
		t.Errorf("told %q", told)
	}
}

func TestApplyErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	forged := proven(t, bounce.Hard, job)
	forged.AddressHash = ""
	if err := r.apply.Apply(t.Context(), forged); !errors.Is(err, bounce.ErrUnproven) || r.cause(ann) != "" {
		t.Errorf("forged: %v", err)
	}
	if err := r.apply.Apply(t.Context(), proven(t, "odd", job)); err == nil {
		t.Error("an odd kind is applied")
	}
	broken := errors.New("broken")
	r.setFail(broken)
	if err := r.apply.Apply(t.Context(), proven(t, bounce.Hard, job)); !errors.Is(err, broken) || r.cause(ann) != "bounced" {
		t.Errorf("timeline: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, kind := range []bounce.Kind{bounce.Soft, bounce.Complaint} {
		if err := r.apply.Apply(ctx, proven(t, kind, job)); err == nil {
			t.Errorf("%s without NATS", kind)
		}
	}
	for _, cfg := range []bounce.ApplyConfig{
		{},
		{List: r.list, Soft: -1},
		{List: r.list, Soft: 51},
		{List: r.list, Window: time.Minute},
		{List: r.list, Window: 31 * 24 * time.Hour},
	} {
		if _, err := bounce.NewApplier(cfg); err == nil {
			t.Errorf("%+v", cfg)
		}
	}
}
