package mta_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	// root is the repository, seen from this package.
	root = "../../.."
	// buildTime bounds the build: a first one with the race detector compiles the
	// standard library too.
	buildTime = 5 * time.Minute
)

var (
	errNoRoot     = errors.New("OpenSMTPD changes users: run these tests as root")
	errNoChromium = errors.New("no Chromium found: install it (Debian: apt-get install chromium) or set TIDINGS_CHROMIUM to its path")
	errNoSMTPD    = errors.New("no OpenSMTPD found: unpack it (Debian: apt-get download opensmtpd && dpkg -x opensmtpd_*.deb DIR) and set TIDINGS_OPENSMTPD to DIR")
	errNoModules  = errors.New("the npm packages are missing: run npm ci --prefix scripts/tools/mta")
)

// shared is what all tests use. TestMain sets it before the first one begins.
var shared struct {
	binary  string          // the tidings program
	smtpd   string          // OpenSMTPD
	libexec string          // the directory of its helpers, "" if they are where it looks
	browser context.Context // of chromedp, with a started browser
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mta:", err)
		code = 1
	}
	os.Exit(code)
}

// run prepares what the tests share, runs them and cleans up.
func run(m *testing.M) (int, error) {
	if os.Getuid() != 0 {
		return 0, errNoRoot
	}
	chromium, err := findChromium()
	if err := errors.Join(err, findSMTPD()); err != nil {
		return 0, err
	}
	if _, err := os.Stat(filepath.Join("node_modules", "mailauth")); err != nil {
		return 0, errNoModules
	}
	dir, err := os.MkdirTemp("", "tidings-mta-")
	if err != nil {
		return 0, fmt.Errorf("temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	shared.binary = filepath.Join(dir, "tidings")
	if err := build(shared.binary); err != nil {
		return 0, err
	}
	browser, stop, err := startBrowser(chromium, filepath.Join(dir, "profile"))
	if err != nil {
		return 0, err
	}
	defer stop()
	shared.browser = browser
	return m.Run(), nil
}

// build compiles the product with the race detector: what a mail server provokes in it
// is judged too.
func build(to string) error {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-race", "-o", to, "./services/tidings")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// findSMTPD looks for OpenSMTPD where it was unpacked, or else where it is installed.
func findSMTPD() error {
	shared.smtpd = "/usr/sbin/smtpd"
	if dir := os.Getenv("TIDINGS_OPENSMTPD"); dir != "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return fmt.Errorf("TIDINGS_OPENSMTPD: %w", err)
		}
		shared.smtpd, shared.libexec = filepath.Join(absolute, "usr/sbin/smtpd"), filepath.Join(absolute, "usr/libexec")
	}
	if _, err := exec.LookPath(shared.smtpd); err != nil {
		return errNoSMTPD
	}
	return nil
}

func findChromium() (string, error) {
	if path := os.Getenv("TIDINGS_CHROMIUM"); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("TIDINGS_CHROMIUM: %w", err)
		}
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoChromium
}

// startBrowser starts a headless Chromium that talks to nobody but this machine.
func startBrowser(path, profile string) (context.Context, func(), error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("disable-features", "Translate,MediaRouter,DialMediaRouteProvider,OptimizationHints"),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	both := func() {
		stop()
		stopAllocator() // waits until the browser is gone
	}
	if err := chromedp.Do(ctx); err != nil {
		both()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, both, nil
}
