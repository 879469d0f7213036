package mta_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// nobody owns the Maildirs: OpenSMTPD delivers to nobody as root.
	nobody = 65534
	// mailDomain is the recipients' domain.
	mailDomain = "example.com"
	// inNamespace starts the server ($3) with the files of a directory ($1) where it can't
	// touch the machine's: with users and helpers ($2) of its own, and with an empty
	// spool. It lives until its standard input ends, even if this program is killed, for
	// the shell is the first process of a namespace of processes and takes all along.
	inNamespace = `set -e
mount --make-rprivate /
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
if [ -n "$2" ]; then mount --bind "$2" /usr/libexec; fi
for d in /var/lib /var/spool /run; do mount -t tmpfs -o mode=755 tmpfs "$d"; done
mkdir -p /var/lib/opensmtpd/empty
"$3" -d -f "$1/smtpd.conf" &
read -r _ || true`
)

// postOffice is an OpenSMTPD with Maildirs, and a server in front that speaks STARTTLS.
type postOffice struct {
	t     *testing.T
	dir   string
	said  *transcript
	front *front
}

// openPostOffice starts a mail server that has the users.
func openPostOffice(t *testing.T, users ...string) *postOffice {
	t.Helper()
	p := &postOffice{t: t, dir: t.TempDir(), said: &transcript{}}
	// The testing package lets only the owner into what it makes.
	if err := os.Chmod(filepath.Dir(p.dir), 0o711); err != nil {
		t.Fatal(err)
	}
	mail := filepath.Join(p.dir, "mail")
	if err := os.Mkdir(mail, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(mail, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address) // it is a listener's
	var table []string
	for _, u := range users {
		table = append(table, fmt.Sprintf("%q = \"%d:%d:/\"", u, nobody, nobody))
	}
	p.write("smtpd.conf", fmt.Sprintf("table users { %s }\nlisten on %s port %s hostname mx.%s\n"+
		"action \"store\" maildir \"%s/%%{user.username}\" userbase <users>\nmatch from any for domain %q action \"store\"\n",
		strings.Join(table, ", "), host, port, mailDomain, mail, mailDomain))
	p.account("passwd", "opensmtpd:x:64501:64501::/:/usr/sbin/nologin\n", "opensmtpq:x:64502:64502::/:/usr/sbin/nologin\n")
	p.account("group", "opensmtpd:x:64501:\n", "opensmtpq:x:64502:\n")
	p.start(address)
	p.front = newFront(t, address)
	return p
}

// freeAddress returns an address on which nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *postOffice) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// account writes /etc/passwd or /etc/group with the lines that it lacks.
func (p *postOffice) account(name string, lines ...string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join("/etc", name))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, line := range lines {
		user, _, _ := strings.Cut(line, ":")
		if !bytes.Contains(text, []byte("\n"+user+":")) {
			text = append(text, line...)
		}
	}
	p.write(name, string(text))
}

// start starts the server and waits until it greets.
func (p *postOffice) start(address string) {
	p.t.Helper()
	// It outlives t.Context, which ends before the clean-ups run.
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "sh", "-c", inNamespace, "sh", p.dir, shared.libexec, shared.smtpd)
	cmd.Stdout, cmd.Stderr = p.said, p.said
	life, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start OpenSMTPD: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its children are killed, which is no success
		close(exited)
	}()
	p.t.Cleanup(func() {
		_ = life.Close() // it may have exited already
		<-exited
		if p.t.Failed() {
			p.t.Logf("OpenSMTPD said:\n%s", p.said)
		}
	})
	if !poll(func() bool { return greets(address) }, exited) {
		p.t.Fatalf("OpenSMTPD did not start; it said:\n%s", p.said)
	}
}

func greets(address string) bool {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return false
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(patience)) != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "220 ")
}

// mails waits for so many mails of a user and returns them in the order of their arrival,
// as they travelled: a Maildir has lines that end with LF.
func (p *postOffice) mails(user string, count int) [][]byte {
	p.t.Helper()
	var mails [][]byte
	if !poll(func() bool { mails = p.stored(user); return len(mails) >= count }, nil) || len(mails) != count {
		p.t.Fatalf("%s has %d mails, not %d; OpenSMTPD said:\n%s", user, len(mails), count, p.said)
	}
	return mails
}

// stored returns the mails that a user has now.
func (p *postOffice) stored(user string) [][]byte {
	p.t.Helper()
	names, err := filepath.Glob(filepath.Join(p.dir, "mail", user, "new", "*"))
	if err != nil {
		p.t.Fatal(err)
	}
	type file struct {
		at   time.Time
		text []byte
	}
	var files []file
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			p.t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			p.t.Fatal(err)
		}
		files = append(files, file{info.ModTime(), bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))})
	}
	slices.SortStableFunc(files, func(a, b file) int { return a.at.Compare(b.at) })
	mails := make([][]byte, 0, len(files))
	for _, f := range files {
		mails = append(mails, f.text)
	}
	return mails
}
