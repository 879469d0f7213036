package people_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tidings/services/notifier/route"
	"tidings/shared/httpx"
	"tidings/shared/testkit"
)

func TestPreferences(t *testing.T) {
	t.Parallel()
	c := testkit.NATS(t)
	p := openOn(t, c)
	if prefs, rev, err := p.Preferences(t.Context(), "ann"); rev != 0 || err != nil || prefs.Enabled != nil || prefs.Categories != nil {
		t.Fatalf("at first: %+v, %d, %v", prefs, rev, err)
	}
	for _, patch := range []string{
		`{"channels":{"mail":false},"quiet_hours":[{"from":"22:00","to":"07:00"}]}`,
		`{"categories":{"orders":{"channels":{"mail":true}}},"channels":{"push":true}}`,
		`{"quiet_hours":null}`,
	} {
		if _, err := p.Patch(t.Context(), "ann", []byte(patch)); err != nil {
			t.Fatalf("%s: %v", patch, err)
		}
	}
	prefs, rev, err := p.Preferences(t.Context(), "ann")
	if err != nil || rev != 3 || prefs.Channels[route.Mail] || !prefs.Channels[route.Push] || !prefs.Categories["orders"].Channels[route.Mail] || prefs.QuietHours != nil {
		t.Errorf("%+v, %d, %v", prefs, rev, err)
	}
	if _, err := p.Patch(t.Context(), "ann", []byte(`{"channels":{"push":true}}`)); err != nil {
		t.Error(err)
	}
	if _, same, err := p.Preferences(t.Context(), "ann"); err != nil || same != rev {
		t.Errorf("a patch that changes nothing makes revision %d of %d, %v", same, rev, err)
	}
	many, err := p.ManyPreferences(t.Context(), []string{"ann", "bob"})
	if err != nil || len(many) != 1 || !many["ann"].Channels[route.Push] {
		t.Errorf("many: %v, %v", many, err)
	}
	for patch, code := range map[string]string{
		`{"chanels":{}}`:            httpx.CodeUnknownField,
		`{"channels":{"fax":true}}`: route.CodeBadValue,
		`[]`:                        httpx.CodeBadField,
		`{`:                         httpx.CodeBadJSON,
		`{"x":"` + strings.Repeat("x", 64<<10) + `"}`: route.CodeTooLong,
	} {
		_, err := p.Patch(t.Context(), "ann", []byte(patch))
		if p := httpx.ProblemOf(err, nil); p.Code != code {
			t.Errorf("%.40s: %v, want %s", patch, err, code)
		}
	}
	if _, err := p.Patch(t.Context(), "", []byte(`{}`)); err == nil {
		t.Error("nobody has preferences")
	}
	for i := range 10 {
		if _, err := p.Patch(t.Context(), "ann", fmt.Appendf(nil, `{"enabled":%t}`, i%2 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	kv, err := c.JS.KeyValue(t.Context(), "tidings_prefs")
	if err != nil {
		t.Fatal(err)
	}
	if past, err := kv.History(t.Context(), "ann"); err != nil || len(past) != 5 {
		t.Errorf("%d states are kept, %v", len(past), err)
	}
}

// TestPatchAtOnce: of patches at the same time all are done.
func TestPatchAtOnce(t *testing.T) {
	t.Parallel()
	p := openOn(t, testkit.NATS(t))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 5 {
				if _, err := p.Patch(context.WithoutCancel(t.Context()), "ann", fmt.Appendf(nil, `{"categories":{"c%d-%d":{"enabled":false}}}`, i, k)); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	if prefs, _, err := p.Preferences(t.Context(), "ann"); err != nil || len(prefs.Categories) != 40 {
		t.Errorf("%d of 40 were done, %v", len(prefs.Categories), err)
	}
}

// TestCanceled: who waits no longer gets an error of their own.
func TestCanceled(t *testing.T) {
	t.Parallel()
	p := openOn(t, testkit.NATS(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Patch(ctx, "ann", []byte(`{"enabled":true}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("patch: %v", err)
	}
	if err := p.Put(ctx, who("ann", "a", "b")); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	if _, err := p.Many(ctx, []string{"ann"}); !errors.Is(err, context.Canceled) {
		t.Errorf("many: %v", err)
	}
}
