package bounce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"tidings/services/mailer/bounce/dsn"
)

const (
	// DefaultPoll is how often a Maildir is looked into: a bounce is minutes or days old.
	DefaultPoll = 10 * time.Second
	// maxPass is how many files one look takes; the rest waits for the next one.
	maxPass = 500
	// seen is what a Maildir's file is called after it was read.
	seen = ":2,S"
)

// Maildir is a mailbox on disk.
type Maildir struct {
	// Dir holds new and cur, which must exist: whoever delivers makes them.
	Dir string
	// Poll is the time between two looks; 0 means DefaultPoll.
	Poll time.Duration
	// Delete removes what was read. Otherwise it is moved to cur and stays there, until
	// somebody removes it.
	Delete bool
}

// poller looks into a Maildir. Its methods are called by one goroutine.
type poller struct {
	Maildir
	desk *desk
}

// run looks every now and then until ctx ends.
func (p *poller) run(ctx context.Context) {
	tick := time.NewTicker(p.Poll)
	defer tick.Stop()
	for told := false; ; {
		err := p.pass(ctx)
		if err != nil && !told && ctx.Err() == nil {
			p.desk.log.Warn("the mailbox of bounces cannot be worked off; trying on", "dir", p.Dir, "err", err)
		}
		told = err != nil // once for each trouble, not every few seconds
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pass takes what is new, oldest name first. A file that can't be applied stays for the
// next pass, and so does the rest then: the reason is usually NATS.
func (p *poller) pass(ctx context.Context) error {
	// A Root does not follow links out of the mailbox, whoever may write to it.
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return fmt.Errorf("mailbox: %w", err)
	}
	defer func() { _ = root.Close() }() // nothing was written through it
	names, err := list(root)
	if err != nil {
		return fmt.Errorf("mailbox: %w", err)
	}
	var faults []error
	for _, name := range names {
		if ctx.Err() != nil {
			return nil
		}
		data, err := read(root, "new/"+name)
		if err == nil && data != nil {
			if err := p.desk.mail(ctx, byMaildir, data, nil); err != nil {
				return err
			}
			err = p.done(root, name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // another process may share the box
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// list returns the first names in new, sorted; they begin with the time.
func list(root *os.Root) ([]string, error) {
	dir, err := root.Open("new")
	if err != nil {
		return nil, err // the caller does
	}
	defer func() { _ = dir.Close() }() // read only
	entries, err := dir.ReadDir(maxPass)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err // the caller does
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name()[0] != '.' {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// read returns the beginning of a regular file. What is something else by now, such as
// a link or a pipe, is left alone: nil.
func read(root *os.Root, name string) ([]byte, error) {
	before, err := root.Lstat(name)
	if err != nil || !before.Mode().IsRegular() {
		return nil, err // it names the file
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err // it names the file
	}
	defer func() { _ = f.Close() }() // read only
	now, err := f.Stat()
	if err != nil || !os.SameFile(before, now) {
		return nil, err // it names the file
	}
	data, err := io.ReadAll(io.LimitReader(f, dsn.MaxMessage))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return append([]byte{}, data...), nil // never nil
}

// done removes or moves what was read.
func (p *poller) done(root *os.Root, name string) error {
	if p.Delete {
		return root.Remove("new/" + name) // it names the file
	}
	return root.Rename("new/"+name, "cur/"+name+seen) // it names the file
}
