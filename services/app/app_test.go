package app_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/services/app"
	"tidings/shared/auth"
	"tidings/shared/config"
	"tidings/shared/telemetry"
	"tidings/shared/testkit"
)

// secret signs every token of these tests.
const secret = "the-secret-of-the-app-tests-0123456789"

// TestMain fails the run if anything an App started outlives it: every test here
// stops all it made.
func TestMain(m *testing.M) {
	http.DefaultTransport.(*http.Transport).DisableKeepAlives = true
	testkit.Main(m)
}

// settings are those of a process on free ports and a directory of its own. Each
// argument is a flag as on the command line.
func settings(t *testing.T, flags ...string) *config.Settings {
	t.Helper()
	args := append([]string{
		"--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--data=" + t.TempDir(), "--jwt-secret=" + secret,
		"--drain=1s", "--heartbeat=1s",
	}, flags...)
	s, _, err := config.Load(args, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// journal keeps what a process logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// String returns everything so far.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// logger logs everything into j, and shows it if the test fails.
func (j *journal) logger(t *testing.T) *slog.Logger {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of a process:\n%s", j)
		}
	})
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// process is an App that runs in this process.
type process struct {
	*app.App
	t    *testing.T
	log  *journal
	end  context.CancelFunc
	done chan error
	once sync.Once
	err  error
}

// options are those of all services with the settings.
func options(s *config.Settings, log *slog.Logger) app.Options {
	if len(s.SMTP) == 0 {
		// Nobody listens there; it is what the mailer needs to begin.
		s.SMTP, s.MailFrom = []telemetry.Secret{"smtp://127.0.0.1:1?tls=none"}, "Test <test@example.com>"
	}
	return app.Options{Settings: s, Services: app.Services(), Version: "test", Log: log}
}

// start makes and runs an App, and stops it when the test ends.
func start(t *testing.T, s *config.Settings, change ...func(*app.Options)) *process {
	t.Helper()
	p := &process{t: t, log: &journal{}, done: make(chan error, 1)}
	opts := options(s, p.log.logger(t))
	for _, fn := range change {
		fn(&opts)
	}
	var err error
	if p.App, err = app.New(t.Context(), opts); err != nil {
		t.Fatalf("new: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.end = cancel
	go func() { p.done <- p.Run(ctx) }()
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return p
}

// stop ends the App and returns what Run returned.
func (p *process) stop() error {
	p.t.Helper()
	p.end()
	p.once.Do(func() {
		select {
		case p.err = <-p.done:
		case <-time.After(testkit.Patience):
			p.t.Fatal("the app did not stop")
		}
	})
	return p.err
}

// ready waits until /readyz is green.
func (p *process) ready() *process {
	p.t.Helper()
	testkit.Eventually(p.t, "/readyz to be green", func() bool {
		code, _ := get(p.t, p.AdminURL()+"/readyz")
		return code == http.StatusOK
	})
	return p
}

// get asks for a page and returns its status and text; 0 if nobody answers.
func get(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	return request(t, http.MethodGet, url, "", header...)
}

// request sends a request; header holds names and values in turn, and "Host" works.
func request(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	return requestBy(t, http.DefaultClient, method, url, body, header...)
}

// requestBy does so with a client of one's own.
func requestBy(t *testing.T, c *http.Client, method, url, body string, header ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// token mints a token for all rooms.
func token(t *testing.T) string {
	t.Helper()
	s, err := auth.Mint([]byte(secret), auth.Claims{User: "ann", Sub: []string{"room.>"}, Pub: []string{"room.>"}, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// post publishes one event with a token and fails unless it was stored.
func (p *process) post(topic, data string) {
	p.t.Helper()
	code, answer := request(p.t, http.MethodPost, p.URL()+"/v1/events", `{"topic":"`+topic+`","data":`+data+`}`, "Authorization", "Bearer "+token(p.t))
	if code != http.StatusCreated {
		p.t.Fatalf("post: %d %s", code, answer)
	}
}
