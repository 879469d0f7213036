package bounce_test

import (
	"errors"
	"testing"

	"tidings/services/mailer/bounce"
	"tidings/shared/ledger"
	"tidings/shared/suppress"
	"tidings/shared/testkit"
)

// TestOnLedger: with the real ledger, a timeline gets each note once, and a forgotten
// notification stays forgotten.
func TestOnLedger(t *testing.T) {
	t.Parallel()
	conn := testkit.NATS(t)
	l, err := ledger.Open(t.Context(), conn, testkit.Space(t), ledger.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	list, err := suppress.Open(t.Context(), conn, testkit.Space(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	apply, err := bounce.NewApplier(bounce.ApplyConfig{List: list, Timeline: bounce.OnLedger(l)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Put(t.Context(), "n1", ledger.Entry{Kind: ledger.KindRequest, Part: "request"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := apply.Apply(t.Context(), proven(t, bounce.Hard, job)); err != nil {
			t.Fatal(err)
		}
	}
	entries, _, err := l.Read(t.Context(), "n1")
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	if e := entries[1]; e.Kind != ledger.KindNote || e.Part != "bounced:"+job || e.Channel != "mail" || e.Key != job || e.Reason != "bounced" ||
		e.Detail != "5.1.1 550 [address] no such user [address]" || e.At.IsZero() {
		t.Errorf("%+v", e)
	}
	forgotten := proven(t, bounce.Hard, job)
	forgotten.Notification = "n0"
	if err := apply.Apply(t.Context(), forgotten); err != nil {
		t.Error(err)
	}
	if _, _, err := l.Read(t.Context(), "n0"); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("a forgotten notification is back: %v", err)
	}
}
