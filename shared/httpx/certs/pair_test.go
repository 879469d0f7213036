package certs_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings/shared/httpx/certs"
	"tidings/shared/httpx/certs/certstest"
)

const day = 24 * time.Hour

// journal keeps what was logged.
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

// take returns what was logged since it was last called.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

// running is a Pair that runs in a bubble.
type running struct {
	*certs.Pair
	t   *testing.T
	log *journal
}

// run opens and runs a pair in the bubble of t. Its clock is virtual, its files are
// real.
func run(t *testing.T, certFile, keyFile string, every time.Duration) running {
	t.Helper()
	r := running{t: t, log: &journal{}}
	var err error
	r.Pair, err = certs.Open(certs.Config{CertFile: certFile, KeyFile: keyFile, Every: every, Log: slog.New(slog.NewTextHandler(r.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return r
}

// serves fails unless the certificate in use has the name.
func (r running) serves(name string) {
	r.t.Helper()
	c, err := r.Certificate(nil)
	if err != nil || c.Leaf.Subject.CommonName != name {
		r.t.Errorf("serves %v (%v), want %q", c.Leaf.Subject, err, name)
	}
	if !r.NotAfter().Equal(c.Leaf.NotAfter) {
		r.t.Errorf("NotAfter is %v, want %v", r.NotAfter(), c.Leaf.NotAfter)
	}
}

// put overwrites a file in place.
func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	ca := certstest.NewCA(t)
	good, other := ca.Issue(t, "good", day), ca.Issue(t, "other", day)
	dir := t.TempDir()
	certFile, keyFile := good.Write(t, dir)
	named := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		put(t, path, data)
		return path
	}
	for name, c := range map[string]struct{ cert, key, want string }{
		"no certificate":    {filepath.Join(dir, "none"), keyFile, "TLS certificate: "},
		"no key":            {certFile, filepath.Join(dir, "none"), "TLS key: "},
		"a directory":       {dir, keyFile, "is not a file"},
		"another's key":     {certFile, named("other.key", other.Key), "does not match"},
		"the wrong way":     {keyFile, certFile, "TLS certificate " + keyFile},
		"half a file":       {named("half.crt", good.Cert[:len(good.Cert)/2]), keyFile, "half.crt"},
		"an empty file":     {named("empty.crt", nil), keyFile, "empty.crt"},
		"a huge file":       {named("huge.crt", make([]byte, 1<<20+1)), keyFile, "over 1 MiB"},
		"not a certificate": {named("junk.crt", []byte("-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n")), keyFile, "junk.crt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := certs.Open(certs.Config{CertFile: c.cert, KeyFile: c.key})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestReplacedFiles: however the files are replaced, the new pair is served soon, and
// no sooner than it is whole.
func TestReplacedFiles(t *testing.T) {
	t.Parallel()
	ca := certstest.NewCA(t)
	for name, replace := range map[string]func(t *testing.T, dir string, p certstest.Pair){
		"renamed": func(t *testing.T, dir string, p certstest.Pair) { p.Write(t, dir) },
		"written in place": func(t *testing.T, dir string, p certstest.Pair) {
			put(t, filepath.Join(dir, "tls.crt"), p.Cert)
			put(t, filepath.Join(dir, "tls.key"), p.Key)
		},
		"gone for a while": func(t *testing.T, dir string, p certstest.Pair) {
			for _, name := range []string{"tls.crt", "tls.key"} {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			p.Write(t, dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				certFile, keyFile := ca.Issue(t, "old", 90*day).Write(t, dir)
				r := run(t, certFile, keyFile, 0)
				r.serves("old")
				time.Sleep(time.Hour)
				r.serves("old")
				replace(t, dir, ca.Issue(t, "new", 90*day))
				r.serves("old")
				time.Sleep(certs.DefaultEvery)
				synctest.Wait()
				r.serves("new")
				if log := r.log.take(); strings.Count(log, "level=") != 1 || !strings.Contains(log, "new TLS certificate") {
					t.Errorf("the log: %s", log)
				}
			})
		})
	}
}

// TestKubernetes replaces a mounted secret as a kubelet does: the files are links into
// a directory, which is itself a link that is changed by a rename.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	ca := certstest.NewCA(t)
	synctest.Test(t, func(t *testing.T) {
		root := t.TempDir()
		link := func(target, name string) {
			if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		}
		publish := func(version, name string) {
			dir := filepath.Join(root, version)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			ca.Issue(t, name, 90*day).Write(t, dir)
			link(version, "..data_tmp")
			if err := os.Rename(filepath.Join(root, "..data_tmp"), filepath.Join(root, "..data")); err != nil {
				t.Fatal(err)
			}
		}
		publish("..v1", "old")
		link("..data/tls.crt", "tls.crt")
		link("..data/tls.key", "tls.key")
		r := run(t, filepath.Join(root, "tls.crt"), filepath.Join(root, "tls.key"), 0)
		r.serves("old")
		publish("..v2", "new")
		if err := os.RemoveAll(filepath.Join(root, "..v1")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(certs.DefaultEvery)
		synctest.Wait()
		r.serves("new")
	})
}

// TestUnusableFiles: a pair that cannot be used changes nothing, is told once, and
// is taken as soon as it is whole.
func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	ca := certstest.NewCA(t)
	for name, spoil := range map[string]func(t *testing.T, dir string, p certstest.Pair){
		"half written": func(t *testing.T, dir string, p certstest.Pair) {
			put(t, filepath.Join(dir, "tls.crt"), p.Cert[:100])
			put(t, filepath.Join(dir, "tls.key"), p.Key)
		},
		"mismatched": func(t *testing.T, dir string, p certstest.Pair) { put(t, filepath.Join(dir, "tls.crt"), p.Cert) },
		"missing": func(t *testing.T, dir string, _ certstest.Pair) {
			if err := os.Remove(filepath.Join(dir, "tls.key")); err != nil {
				t.Fatal(err)
			}
		},
		"not a file": func(t *testing.T, dir string, _ certstest.Pair) {
			if err := os.Remove(filepath.Join(dir, "tls.key")); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "tls.key"), fs.ModePerm); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				certFile, keyFile := ca.Issue(t, "old", 90*day).Write(t, dir)
				r := run(t, certFile, keyFile, 0)
				next := ca.Issue(t, "new", 90*day)
				spoil(t, dir, next)
				time.Sleep(time.Hour)
				synctest.Wait()
				r.serves("old")
				if log := r.log.take(); strings.Count(log, "level=") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, dir) {
					t.Errorf("the log: %s", log)
				}
				if err := os.RemoveAll(keyFile); err != nil {
					t.Fatal(err)
				}
				next.Write(t, dir)
				time.Sleep(certs.DefaultEvery)
				synctest.Wait()
				r.serves("new")
				if log := r.log.take(); strings.Count(log, "level=") != 1 || !strings.Contains(log, "level=INFO") {
					t.Errorf("the log: %s", log)
				}
			})
		})
	}
}

// TestReminder: the log is told once a day from 14 days before the end, until the
// certificate is renewed. One that is made for less is given two thirds of its life.
func TestReminder(t *testing.T) {
	t.Parallel()
	ca := certstest.NewCA(t)
	const warning = "level=WARN msg=\"the TLS certificate must be renewed\""
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		certFile, keyFile := ca.Issue(t, "old", 90*day).Write(t, dir)
		r := run(t, certFile, keyFile, time.Hour)
		time.Sleep(76*day - time.Minute)
		synctest.Wait()
		if log := r.log.take(); log != "" {
			t.Errorf("the log, early: %s", log)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if log := r.log.take(); strings.Count(log, warning) != 1 {
			t.Errorf("the log, 14 days before: %s", log)
		}
		time.Sleep(16 * day)
		synctest.Wait()
		if log := r.log.take(); strings.Count(log, warning) != 16 || !strings.Contains(log, "left=-") {
			t.Errorf("the log, until two days after: %s", log)
		}
		ca.Issue(t, "new", 90*day).Write(t, dir)
		time.Sleep(10 * day)
		synctest.Wait()
		if log := r.log.take(); strings.Contains(log, "WARN") {
			t.Errorf("the log, renewed: %s", log)
		}
		ca.Issue(t, "short", 6*day).Write(t, dir)
		time.Sleep(3 * day)
		synctest.Wait()
		if log := r.log.take(); strings.Contains(log, "WARN") {
			t.Errorf("the log, young: %s", log)
		}
		time.Sleep(2*day + 2*time.Hour)
		synctest.Wait()
		if log := r.log.take(); strings.Count(log, warning) != 2 {
			t.Errorf("the log, old: %s", log)
		}
	})
	ended := ca.Issue(t, "ended", -day)
	certFile, keyFile := ended.Write(t, t.TempDir())
	if _, err := certs.Open(certs.Config{CertFile: certFile, KeyFile: keyFile}); err != nil {
		t.Errorf("a certificate that has ended: %v", err)
	}
}
