package bounce_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/mailer/bounce"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
	"tidings/shared/testkit"
)

// TestMain fails the run if a service leaves something running.
func TestMain(m *testing.M) { testkit.Main(m) }

const (
	secretA = telemetry.Secret("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	secretB = telemetry.Secret("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
	domain  = "b.example.com"
	job     = "0123456789abcdef0123456789abcdef"
	ann     = "ann@example.com"
)

// rig is an applier on a real list, with a timeline that it is itself.
type rig struct {
	*testing.T
	list  *suppress.List
	seals *bounce.Seals
	apply *bounce.Applier
	reg   *prometheus.Registry

	mu    sync.Mutex
	notes []string // "notification reason key"
	fail  error    // what the timeline answers
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, reg: prometheus.NewRegistry()}
	var err error
	if r.list, err = suppress.Open(t.Context(), testkit.NATS(t), testkit.Space(t), 1); err != nil {
		t.Fatal(err)
	}
	if r.seals, err = bounce.NewSeals(domain, []telemetry.Secret{secretA}); err != nil {
		t.Fatal(err)
	}
	if r.apply, err = bounce.NewApplier(bounce.ApplyConfig{List: r.list, Timeline: r}); err != nil {
		t.Fatal(err)
	}
	return r
}

// Note implements bounce.Timeline.
func (r *rig) Note(_ context.Context, notification string, n bounce.Note) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	if strings.Contains(n.Detail, "@") || n.Channel != "mail" || n.At.IsZero() || n.Part != n.Reason+":"+n.Key {
		r.Errorf("the note is %+v", n)
	}
	r.notes = append(r.notes, notification+" "+n.Reason+" "+n.Key)
	return nil
}

// told returns and forgets what the timeline was told.
func (r *rig) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	notes := r.notes
	r.notes = nil
	return notes
}

func (r *rig) setFail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// cause is why an address is suppressed, "" if it is not.
func (r *rig) cause(address string) string {
	r.Helper()
	entries, err := r.list.Of(r.Context(), "mail", address)
	if err != nil {
		r.Fatal(err)
	}
	e, _ := suppress.Stops(entries, "", true)
	return string(e.Cause)
}

// start runs a service until the test ends.
func (r *rig) start(cfg bounce.Config) *bounce.Service {
	r.Helper()
	cfg.Seals, cfg.Apply, cfg.Log, cfg.Registerer = r.seals, r.apply, testkit.Log(r), r.reg
	s, err := bounce.New(cfg)
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("run: %v", err)
		}
		if err := s.Close(); err != nil {
			r.Errorf("close after run: %v", err)
		}
	})
	return s
}

// count is a value of the metric.
func (r *rig) count(intake, kind, result string) int {
	r.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["intake"] == intake && labels["kind"] == kind && labels["result"] == result {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return -1
}

// returnPath and trace are the marks of a mail to an address.
func (r *rig) returnPath(key, address string) string {
	r.Helper()
	s, err := r.seals.ReturnPath(key, address)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

func (r *rig) trace(key, address string) string {
	r.Helper()
	s, err := r.seals.Trace(key, "n-"+key[:4], address)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// dsnMail writes a report: to is where it goes, about whom it claims to be, and header
// what it quotes of the original.
func dsnMail(to, about, status, diagnostic, header string) string {
	action := "failed"
	if strings.HasPrefix(status, "2") {
		action = "delivered"
	}
	s := fmt.Sprintf(`From: MAILER-DAEMON@mx.example.net
To: %s
Date: %s
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: text/plain

It came back.

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; %s
Action: %s
Status: %s
Diagnostic-Code: smtp; %s

--x
Content-Type: message/rfc822

Message-ID: <%s@example.com>
%sSubject: Hello

Hello
--x--
`, to, time.Now().Format(time.RFC1123Z), about, action, status, diagnostic, job, header)
	return strings.ReplaceAll(s, "\n", "\r\n")
}
