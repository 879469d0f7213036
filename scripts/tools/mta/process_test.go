package mta_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience is how long a condition may take to come true. A loaded machine is
	// slow; a condition that holds costs nothing.
	patience = time.Minute
	// look is how often a condition is looked at.
	look = 20 * time.Millisecond
	// longest is the most that an answer may have, in bytes.
	longest = 1 << 20
)

// categories are this installation's. None of those below account is for what people
// asked for, so that each mail has a link to unsubscribe.
const categories = `{
	"default": {"channels": ["inbox", "mail"]},
	"alerts": {"channels": ["inbox", "mail"]},
	"shipping": {"channels": ["inbox", "mail"]},
	"comments": {"channels": ["inbox", "mail"], "digest": {"window_s": 3600, "cap": 3}},
	"account": {"channels": ["inbox", "mail"], "transactional": true}
}`

// process is a `tidings up notifier mailer edge` whose mails go to a post office.
type process struct {
	t     *testing.T
	url   string
	admin string // of the admin listener
	token string

	cmd    *exec.Cmd
	said   *transcript
	exited chan struct{} // closed when cmd has ended
}

// begin starts a process that signs with a key, with more settings if there are any, and
// waits until it is ready.
func begin(t *testing.T, p *postOffice, k *key, settings ...string) *process {
	t.Helper()
	address, admin, dir := freeAddress(t), freeAddress(t), t.TempDir()
	s := &process{t: t, url: "http://" + address, admin: "http://" + admin, said: &transcript{}, exited: make(chan struct{})}
	file := filepath.Join(dir, "categories.json")
	if err := os.WriteFile(file, []byte(categories), 0o644); err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TIDINGS_") {
			env = append(env, v)
		}
	}
	const jwtSecret = "TIDINGS_JWT_SECRET=a secret of these tests, which is long enough"
	token := exec.CommandContext(t.Context(), shared.binary, "token", "--notify", "post")
	token.Env = append(env, jwtSecret)
	out, err := token.Output()
	if err != nil {
		t.Fatalf("mint a token: %v", err)
	}
	s.token = strings.TrimSpace(string(out))
	// It outlives t.Context, which ends before the clean-ups run.
	s.cmd = exec.CommandContext(context.Background(), shared.binary, "up", "notifier", "mailer", "edge")
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	s.cmd.Env = append(env, jwtSecret, "SSL_CERT_FILE="+p.front.authority,
		"TIDINGS_HTTP="+address, "TIDINGS_ADMIN="+admin, "TIDINGS_DATA="+filepath.Join(dir, "data"), "TIDINGS_DRAIN=1s",
		"TIDINGS_CATEGORIES="+file, "TIDINGS_SMTP="+p.front.url(), "TIDINGS_MAIL_RETRY=100ms",
		"TIDINGS_MAIL_FROM="+sender, "TIDINGS_BRAND="+brand, "TIDINGS_DKIM="+k.setting,
		"TIDINGS_PUBLIC_URL="+s.url, "TIDINGS_APP_URL=https://app.example.org", "TIDINGS_PREFERENCES_URL=https://app.example.org/notifications",
		"TIDINGS_MAIL_SECRETS=another secret of these tests that is long enough",
	)
	s.cmd.Env = append(s.cmd.Env, settings...) // the last of a name counts
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start tidings: %v", err)
	}
	go func() {
		_ = s.cmd.Wait() // stop looks at the exit code
		close(s.exited)
	}()
	t.Cleanup(s.stop)
	if !poll(func() bool { return answers(s.admin + "/readyz") }, s.exited) {
		t.Fatalf("tidings did not become ready; it said:\n%s", s.said)
	}
	return s
}

func answers(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// stop is the clean-up: it tells the process to end and judges how it did.
func (s *process) stop() {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("SIGTERM: %v", err)
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case <-s.exited:
	case <-deadline.C:
		s.t.Error("tidings did not stop")
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("tidings ended with %d", code)
	}
	if strings.Contains(s.said.String(), "DATA RACE") {
		s.t.Error("a data race")
	}
	if s.t.Failed() {
		s.t.Logf("tidings said:\n%s", s.said)
	}
}

// ask sends a request to the API and decodes the answer.
func (s *process) ask(method, path, body string, answer any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		s.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

// notify has people notified and returns the notification's id.
func (s *process) notify(document string) string {
	s.t.Helper()
	var accepted struct{ ID string }
	s.ask(http.MethodPost, "/v1/notify", document, &accepted)
	return accepted.ID
}

// delivery is what became of a mail, as the API tells it.
type delivery struct{ User, Channel, State, Reason, Error, Detail string }

// mailOf waits until a notification's mail has come to a state and returns its delivery.
func (s *process) mailOf(id, state string) delivery {
	s.t.Helper()
	var last delivery
	if !poll(func() bool {
		var timeline struct{ Deliveries []delivery }
		s.ask(http.MethodGet, "/v1/notifications/"+id, "", &timeline)
		for _, d := range timeline.Deliveries {
			if d.Channel == "mail" {
				last = d
			}
		}
		return last.State == state
	}, s.exited) {
		s.t.Fatalf("the mail of %s is not %s but %+v", id, state, last)
	}
	return last
}

// poll looks until ok returns true, and gives up with patience or when the channel
// is closed.
func poll(ok func() bool, give <-chan struct{}) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-give:
			return ok()
		case <-deadline.C:
			return false
		}
	}
	return true
}

// transcript collects what a process says.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

// String returns everything said so far.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// quote makes a JSON string of any text.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil { // unreachable: every string encodes
		return `""`
	}
	return string(text)
}

// squeeze makes one space of all white space, as people read.
func squeeze(s string) string { return regexp.MustCompile(`\s+`).ReplaceAllString(s, " ") }

// person is somebody in JSON.
func person(user, name, locale string) string {
	return fmt.Sprintf(`{"user": %q, "email": "%s@%s", "name": %s, "locale": %q, "tz": "Europe/Berlin"}`, user, user, mailDomain, quote(name), locale)
}

// to is the recipient of a notification in JSON.
func to(user, name, locale string) string { return `"to": [` + person(user, name, locale) + `]` }
