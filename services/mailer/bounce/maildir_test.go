package bounce_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/services/mailer/bounce"
	"tidings/shared/testkit"
)

// mailbox makes a Maildir and returns a function that delivers into it and one that
// lists the names of a part.
func mailbox(t *testing.T) (dir string, put func(name, mail string), list func(part string) []string) {
	t.Helper()
	dir = t.TempDir()
	for _, part := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, part), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put = func(name, mail string) {
		t.Helper()
		tmp := filepath.Join(dir, "tmp", name)
		if err := os.WriteFile(tmp, []byte(mail), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(dir, "new", name)); err != nil {
			t.Fatal(err)
		}
	}
	list = func(part string) []string {
		t.Helper()
		entries, err := os.ReadDir(filepath.Join(dir, part))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	return dir, put, list
}

func TestMaildir(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir, put, list := mailbox(t)
	trace := "X-Tidings-Trace: " + r.trace(job, ann) + "\n"
	put("1.hard", dsnMail("x@"+domain, ann, "5.1.1", "550 no", trace))
	put("2.path", dsnMail(r.returnPath("otherjob", "bob@example.com"), "bob@example.com", "5.1.1", "550 no", ""))
	put("3.forged", dsnMail("x@"+domain, "carl@example.com", "5.1.1", "550 no", ""))
	put("4.answer", "From: a@b\r\nSubject: hi\r\n\r\nhi\r\n")
	put("5.empty", "")
	put("6.large", dsnMail("x@"+domain, "dora@example.com", "5.1.1", "550 no", "X-Tidings-Trace: "+r.trace(job, "dora@example.com")+"\n")+strings.Repeat("x", 3<<20))
	put(".7.hidden", dsnMail("x@"+domain, ann, "5.1.1", "550 no", trace))
	r.start(bounce.Config{Maildir: bounce.Maildir{Dir: dir, Poll: 5 * time.Millisecond}})
	testkit.Eventually(t, "the mailbox to be empty", func() bool { return slices.Equal(list("new"), []string{".7.hidden"}) })
	if got := list("cur"); len(got) != 6 || got[0] != "1.hard:2,S" {
		t.Errorf("cur holds %q", got)
	}
	for address, want := range map[string]string{ann: "bounced", "bob@example.com": "bounced", "carl@example.com": "", "dora@example.com": "bounced"} {
		if got := r.cause(address); got != want {
			t.Errorf("%s is suppressed as %q, want %q", address, got, want)
		}
	}
	if told := r.told(); len(told) != 2 || told[0] != "n-0123 bounced "+job {
		t.Errorf("told %q", told)
	}
	if r.count("maildir", "hard", "applied") != 3 || r.count("maildir", "hard", "unproven") != 1 || r.count("maildir", "none", "ignored") != 2 {
		t.Error("the counts are wrong")
	}
}

// TestMaildirLater: what can't be applied now stays, and is applied later.
func TestMaildirLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir, put, list := mailbox(t)
	r.setFail(errors.New("away"))
	put("1", dsnMail("x@"+domain, ann, "5.1.1", "550 no", "X-Tidings-Trace: "+r.trace(job, ann)+"\n"))
	r.start(bounce.Config{Maildir: bounce.Maildir{Dir: dir, Poll: 5 * time.Millisecond, Delete: true}})
	testkit.Eventually(t, "a failure", func() bool { return r.count("maildir", "hard", "failed") > 1 })
	if len(list("new")) != 1 {
		t.Error("it did not stay")
	}
	r.setFail(nil)
	testkit.Eventually(t, "the mailbox to be empty", func() bool { return len(list("new")) == 0 })
	if r.cause(ann) != "bounced" || len(list("cur")) != 0 {
		t.Errorf("suppressed as %q, cur holds %q", r.cause(ann), list("cur"))
	}
}

// TestMaildirHostile: links and what is no file is left alone, wherever it leads.
func TestMaildirHostile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir, put, list := mailbox(t)
	outside := filepath.Join(t.TempDir(), "outside")
	mail := dsnMail("x@"+domain, "bob@example.com", "5.1.1", "550 no", "X-Tidings-Trace: "+r.trace(job, "bob@example.com")+"\n")
	if err := os.WriteFile(outside, []byte(mail), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"a.link": outside, "b.inside": "../cur/read", "c.dangling": "nowhere", "d.dir": "."} {
		if err := os.Symlink(target, filepath.Join(dir, "new", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "cur", "read"), []byte(mail), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "new", "e.dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.start(bounce.Config{Maildir: bounce.Maildir{Dir: dir, Poll: 5 * time.Millisecond}})
	put("z", dsnMail("x@"+domain, ann, "5.1.1", "550 no", "X-Tidings-Trace: "+r.trace(job, ann)+"\n"))
	testkit.Eventually(t, "the one file to be read", func() bool { return r.cause(ann) == "bounced" && len(list("new")) == 5 })
	if got := r.cause("bob@example.com"); got != "" {
		t.Errorf("a link was followed: %q", got)
	}
}

// TestMaildirMissing: a mailbox that comes later is found.
func TestMaildirMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := filepath.Join(t.TempDir(), "later")
	r.start(bounce.Config{Maildir: bounce.Maildir{Dir: dir, Poll: 5 * time.Millisecond}})
	ready := dir + ".ready"
	for _, part := range []string{"new", "cur"} {
		if err := os.MkdirAll(filepath.Join(ready, part), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mail := dsnMail("x@"+domain, ann, "5.1.1", "550 no", "X-Tidings-Trace: "+r.trace(job, ann)+"\n")
	if err := os.WriteFile(filepath.Join(ready, "new", "1"), []byte(mail), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(ready, dir); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the mail to be read", func() bool { return r.cause(ann) == "bounced" })
}
