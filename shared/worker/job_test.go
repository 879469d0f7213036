package worker_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tidings/shared/worker"
)

// FuzzReadJob reads anything as a job: what is taken survives being written again and
// fits into the subject of a job.
func FuzzReadJob(f *testing.F) {
	for _, s := range []string{
		"", "null", "{", `{"key":"k","channel":"mail","notification":"n","recipient":"r","queued":"2026-01-02T03:04:05Z"}`,
		`{"key":"*","channel":">"}`, `{"key":"k","payload":{"a":[1]},"expires":"2026-01-02T03:04:05+01:00"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := worker.ReadJob(data)
		if err != nil {
			return
		}
		if strings.ContainsAny(j.Key+j.Channel, "*>. \r\n") {
			t.Errorf("%q %q", j.Key, j.Channel)
		}
		again, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := worker.ReadJob(again); err != nil || k.Key != j.Key || !k.Queued.Equal(j.Queued) {
			t.Errorf("%s: %v", again, err)
		}
	})
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}} {
		seen[worker.KeyOf(s[0], s[1], s[2])] = true
	}
	if len(seen) != 4 || !seen[worker.KeyOf("a", "b", "c")] {
		t.Errorf("%v", seen)
	}
	j := worker.Job{Key: worker.KeyOf("a", "b", "c"), Channel: "b", Notification: "a", Recipient: "c", Queued: time.Now()}
	if err := j.Check(); err != nil {
		t.Error(err)
	}
}
