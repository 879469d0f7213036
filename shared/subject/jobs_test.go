package subject_test

import (
	"testing"

	"tidings/shared/subject"
)

// TestJobs fixes the names of what notifications travel on.
func TestJobs(t *testing.T) {
	t.Parallel()
	s, err := subject.NewSpace("tidings")
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		s.Job("mail", "k"):                           "tidings.jobs.mail.k",
		s.Dead("mail", "*"):                          "tidings.dead.mail.*",
		s.AnyService("notifier", "notify"):           "tidings.svc.notifier.notify",
		s.Notify():                                   "tidings.notify",
		s.Notification(subject.Escape("n.1"), "*"):   "tidings.notifications.n=2E1.*",
		s.InboxItems(subject.Escape("a@b")):          "tidings.inbox.a=40b.items",
		s.InboxState("*"):                            "tidings.inbox.*.state",
		s.Plan("k", "*", "n"):                        "tidings.schedule.k.*.n",
		s.Digest("d", "*"):                           "tidings.digests.d.*",
		s.Receipt(subject.Escape("n.1"), "sms", "k"): "tidings.receipts.n=2E1.sms.k",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
