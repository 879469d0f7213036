package bounce_test

import (
	"errors"
	"strings"
	"testing"

	"tidings/services/mailer/bounce"
	"tidings/services/mailer/bounce/dsn"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
)

func seals(t testing.TB, keys ...telemetry.Secret) *bounce.Seals {
	t.Helper()
	s, err := bounce.NewSeals(strings.ToUpper(domain), keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestReturnPath(t *testing.T) {
	t.Parallel()
	old, rotated, other := seals(t, secretA), seals(t, secretB, secretA), seals(t, secretB)
	path := must(t)(old.ReturnPath(job, ann))
	if local, at, _ := strings.Cut(path, "@"); len(local) > 64 || at != domain || !strings.HasPrefix(local, "bounce+"+job+".") {
		t.Errorf("return path %q", path)
	}
	if !old.Known(path) || !rotated.Known(path) || other.Known(path) || !old.Known(strings.ToUpper(path)) {
		t.Errorf("%q is not known where it should be", path)
	}
	for i := range path {
		c := byte('a')
		if path[i] == c {
			c = 'b'
		}
		bound := i >= len(path)-len("@"+domain)-8 && i < len(path)-len("@"+domain)
		if changed := path[:i] + string(c) + path[i+1:]; old.Known(changed) != bound {
			t.Errorf("%q: known %v", changed, !bound) // the half for the address can't be checked yet
		}
	}
	for _, bad := range []string{"", "@", "bounce+@" + domain, "bounce+k.@" + domain, "postmaster@" + domain, path + ".evil.example", "x" + path, strings.Repeat("x", 5000)} {
		if old.Known(bad) {
			t.Errorf("%.50q is known", bad)
		}
	}
	for _, key := range []string{"", "Capital", "a.b", "a@b", strings.Repeat("k", 41), "ä"} {
		if _, err := old.ReturnPath(key, ann); !errors.Is(err, bounce.ErrSeal) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	if _, err := old.ReturnPath(job, ""); !errors.Is(err, suppress.ErrAddress) {
		t.Errorf("no address: %v", err)
	}
	must(t)(old.ReturnPath(strings.Repeat("k", 40), ann))
}

func TestProve(t *testing.T) {
	t.Parallel()
	s := seals(t, secretB, secretA)
	hash := must(t)(suppress.Hash("mail", ann))
	path, trace := must(t)(seals(t, secretA).ReturnPath(job, ann)), must(t)(seals(t, secretA).Trace(job, "nötification 1", "Ann@Example.com"))
	foreign := must(t)(seals(t, "cccccccccccccccccccccccccccccccccccccccc").Trace(job, "n", ann))
	for _, c := range []struct {
		name         string
		report       dsn.Report
		proven       bool
		kind         bounce.Kind
		notification string
	}{
		{"nothing", dsn.Report{Kind: bounce.Hard, Recipient: ann}, false, bounce.Hard, ""},
		{"message id only", dsn.Report{Kind: bounce.Hard, Recipient: ann, Key: job}, false, bounce.Hard, ""},
		{"return path", dsn.Report{Kind: bounce.Hard, Recipient: "ANN@example.com", Evidence: dsn.Evidence{ReturnPaths: []string{"x@y", path}}}, true, bounce.Hard, ""},
		{"return path, other spelling", dsn.Report{Kind: bounce.Hard, Recipient: "x@y", Evidence: dsn.Evidence{ReturnPaths: []string{path}, Recipients: []string{ann}}}, true, bounce.Hard, ""},
		{"return path, somebody else", dsn.Report{Kind: bounce.Hard, Recipient: "bob@example.com", Evidence: dsn.Evidence{ReturnPaths: []string{path}}}, false, bounce.Hard, ""},
		{"return path, forwarded", dsn.Report{Kind: bounce.Hard, Recipient: "bob@example.com", Evidence: dsn.Evidence{ReturnPaths: []string{path}, To: []string{ann}}}, true, bounce.Soft, ""},
		{"trace", dsn.Report{Kind: bounce.Hard, Recipient: ann, Evidence: dsn.Evidence{Trace: trace}}, true, bounce.Hard, "nötification 1"},
		{"trace, forwarded", dsn.Report{Kind: bounce.Hard, Recipient: "bob@example.com", Evidence: dsn.Evidence{Trace: trace}}, true, bounce.Soft, "nötification 1"},
		{"trace, complaint", dsn.Report{Kind: bounce.Complaint, Evidence: dsn.Evidence{Trace: trace}}, true, bounce.Complaint, "nötification 1"},
		{"trace, folded", dsn.Report{Kind: bounce.Hard, Recipient: ann, Evidence: dsn.Evidence{Trace: strings.ReplaceAll(trace, " ", "\r\n\t")}}, true, bounce.Hard, "nötification 1"},
		{"foreign trace", dsn.Report{Kind: bounce.Hard, Recipient: ann, Evidence: dsn.Evidence{Trace: foreign}}, false, bounce.Hard, ""},
		{"half a trace", dsn.Report{Kind: bounce.Hard, Recipient: ann, Evidence: dsn.Evidence{Trace: trace[:len(trace)-1]}}, false, bounce.Hard, ""},
	} {
		r := c.report
		if got := s.Prove(&r); got != c.proven || r.Kind != c.kind || r.Notification != c.notification {
			t.Errorf("%s: %v, %+v", c.name, got, r)
		}
		if c.proven && (r.AddressHash != hash || r.Key != job) || !c.proven && r.AddressHash != "" {
			t.Errorf("%s: proven %+v", c.name, r)
		}
	}
	for i := range trace {
		if trace[i] == ' ' {
			continue
		}
		c := byte('A')
		if trace[i] == c {
			c = 'B'
		}
		r := dsn.Report{Kind: bounce.Hard, Recipient: ann, Evidence: dsn.Evidence{Trace: trace[:i] + string(c) + trace[i+1:]}}
		if s.Prove(&r) {
			t.Errorf("a changed trace proves: %q", r.Evidence.Trace)
		}
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	s := seals(t, secretA)
	long := must(t)(s.Trace(strings.Repeat("k", 64), strings.Repeat("n", 128), ann))
	for w := range strings.FieldsSeq(long) {
		if len(w) > 171 {
			t.Errorf("a word of %d bytes", len(w))
		}
	}
	if r := (dsn.Report{Kind: bounce.Soft, Evidence: dsn.Evidence{Trace: long}}); !s.Prove(&r) {
		t.Error("the longest trace proves nothing")
	}
	for _, c := range [][2]string{{"", "n"}, {"a b", "n"}, {"k", ""}, {"k", strings.Repeat("n", 129)}} {
		if _, err := s.Trace(c[0], c[1], ann); !errors.Is(err, bounce.ErrSeal) {
			t.Errorf("%q: %v", c, err)
		}
	}
	if _, err := s.Trace("k", "n", ""); !errors.Is(err, suppress.ErrAddress) {
		t.Errorf("no address: %v", err)
	}
}

func TestNewSeals(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "b", "a@b.example", "b.example.com>", strings.Repeat("x", 200) + ".example"} {
		if _, err := bounce.NewSeals(bad, []telemetry.Secret{secretA}); err == nil {
			t.Errorf("domain %.30q", bad)
		}
	}
	for _, keys := range [][]telemetry.Secret{nil, {secretA, "short-and-secret"}, make([]telemetry.Secret, 17)} {
		if _, err := bounce.NewSeals(domain, keys); err == nil || strings.Contains(err.Error(), "short-and-secret") {
			t.Errorf("keys: %v", err)
		}
	}
}

// FuzzProve: nothing but what was sealed proves anything.
func FuzzProve(f *testing.F) {
	s := seals(f, secretA)
	f.Add("v1 k bg 00 AA", "bounce+k.aaaaaaaaaaaaaaaa@b.example.com", ann)
	f.Add("v1 k  x y z", "<bounce+@>", "")
	f.Fuzz(func(t *testing.T, trace, path, address string) {
		r := dsn.Report{Kind: bounce.Hard, Recipient: address, Evidence: dsn.Evidence{Trace: trace, ReturnPaths: []string{path}, To: []string{address}}}
		if s.Prove(&r) || s.Known(path) {
			t.Errorf("%q %q %q proves %+v", trace, path, address, r)
		}
	})
}
