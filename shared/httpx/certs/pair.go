package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

const (
	// DefaultEvery is how often the files are looked at. Two stat calls cost nothing,
	// and nobody waits for a renewal longer than for a deployment.
	DefaultEvery = 5 * time.Second
	// maxFile bounds each file in bytes. A chain has a few KiB; anything larger is the
	// wrong file.
	maxFile = 1 << 20
	// soon is how long before its end a certificate should have been renewed: issuers
	// of 90 days renew after 60, so by then several attempts have failed.
	soon = 14 * 24 * time.Hour
	// remindEvery is how often the log is told so.
	remindEvery = 24 * time.Hour
)

// Config says where a pair is. Both files are required.
type Config struct {
	// CertFile is a PEM file with the certificate, followed by those of its issuers.
	// KeyFile is a PEM file with the certificate's private key, not encrypted.
	CertFile, KeyFile string
	// Every is how often the files are looked at; 0 means DefaultEvery.
	Every time.Duration
	// Log is told of new certificates, of files that cannot be used and of a
	// certificate that should have been renewed. Nil means none.
	Log *slog.Logger
}

// Pair is a certificate with its key, as good as its files. Make it with Open.
type Pair struct {
	cfg     Config
	current atomic.Pointer[tls.Certificate]

	// The rest belongs to Open, then to Run.

	seen     identity  // of the files that current was read from
	failing  string    // what the last look found wrong with the files, "" for nothing
	told     string    // what of that the log was told
	reminded time.Time // when the log was last told that the certificate ends soon
}

// Open reads the pair. It fails if a file cannot be read, is none or is over 1 MiB,
// and if the two do not make a pair. A certificate that has ended is taken: it is
// better than no server, and Run tells the log. Errors name the files and show
// nothing of what is in them.
func Open(cfg Config) (*Pair, error) {
	if cfg.Every <= 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pair{cfg: cfg}
	seen, err := p.look()
	if err != nil {
		return nil, err
	}
	if err := p.load(seen); err != nil {
		return nil, err
	}
	return p, nil
}

// Run keeps the pair as fresh as its files until ctx ends. Call it once.
func (p *Pair) Run(ctx context.Context) {
	tick := time.NewTicker(p.cfg.Every)
	defer tick.Stop()
	for {
		p.remind(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.refresh()
		}
	}
}

// Certificate returns the certificate to serve; it is made for
// tls.Config.GetCertificate and never fails.
func (p *Pair) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return p.current.Load(), nil
}

// NotAfter is when the certificate ends that is served now.
func (p *Pair) NotAfter() time.Time { return p.current.Load().Leaf.NotAfter }

// refresh reads the files again if they are others than those that were read, or if
// the last attempt failed: a file may be completed without any trace but its bytes.
func (p *Pair) refresh() {
	now, err := p.look()
	if err == nil {
		if p.failing == "" && now.same(p.seen) {
			return
		}
		err = p.load(now)
	}
	if err != nil {
		p.complain(err)
		return
	}
	p.failing, p.told, p.reminded = "", "", time.Time{}
	p.cfg.Log.Info("a new TLS certificate is in use", "file", p.cfg.CertFile, "not_after", p.NotAfter())
}

// complain tells the log once what is wrong with the files. It waits for the second
// look: whoever replaces two files has them apart for a moment.
func (p *Pair) complain(err error) {
	what := err.Error()
	if what == p.failing && what != p.told {
		p.told = what
		p.cfg.Log.Warn("the TLS certificate cannot be read again, the old one stays in use", "err", err, "not_after", p.NotAfter())
	}
	p.failing = what
}

// remind tells the log, now and then, that the certificate should have been renewed.
func (p *Pair) remind(now time.Time) {
	leaf := p.current.Load().Leaf
	// One that is made for less than that is renewed later too.
	early := soon
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life <= soon {
		early = life / 3
	}
	left := leaf.NotAfter.Sub(now)
	if left > early || now.Sub(p.reminded) < remindEvery {
		return
	}
	p.reminded = now
	p.cfg.Log.Warn("the TLS certificate must be renewed", "file", p.cfg.CertFile, "not_after", leaf.NotAfter, "left", left.Round(time.Minute))
}

// identity tells files from those that were there before: another inode, size or
// time is another file.
type identity struct{ cert, key fs.FileInfo }

func (i identity) same(j identity) bool { return same(i.cert, j.cert) && same(i.key, j.key) }

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// look follows links, so it sees a change wherever in a path it is.
func (p *Pair) look() (identity, error) {
	cert, err := stat(p.cfg.CertFile)
	if err != nil {
		return identity{}, fmt.Errorf("TLS certificate: %w", err)
	}
	key, err := stat(p.cfg.KeyFile)
	if err != nil {
		return identity{}, fmt.Errorf("TLS key: %w", err)
	}
	return identity{cert: cert, key: key}, nil
}

// stat refuses what could not be read to its end, such as a pipe.
func stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	return info, err
}

// load reads the files and puts them into use. seen is what they were just before,
// so that a change while they are read is found by the next look.
func (p *Pair) load(seen identity) error {
	cert, err := read(p.cfg.CertFile)
	if err != nil {
		return fmt.Errorf("TLS certificate: %w", err)
	}
	key, err := read(p.cfg.KeyFile)
	if err != nil {
		return fmt.Errorf("TLS key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("TLS certificate %s and key %s: %w", p.cfg.CertFile, p.cfg.KeyFile, err)
	}
	p.seen = seen
	p.current.Store(&pair)
	return nil
}

// read reads a file that has a sensible size.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is over 1 MiB", path)
	}
	return data, nil
}
