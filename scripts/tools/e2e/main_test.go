package e2e_test

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

// errNoChromium is what a run without a browser ends with.
var errNoChromium = errors.New("no Chromium found: the browser tests need one; install it (Debian: apt-get install chromium) or set TIDINGS_CHROMIUM to its path")

// shared is what all tests use. TestMain sets it before the first one begins.
var shared struct {
	binary  string          // the tidings program
	browser context.Context // of chromedp, with a started browser
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run prepares what the tests share, runs them and cleans up.
func run(m *testing.M) (int, error) {
	chromium, err := findChromium()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "tidings-e2e-")
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

// build compiles the product with the race detector: what a page provokes in it
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

// startBrowser starts a headless Chromium that talks to nobody but the pages it
// is sent to.
func startBrowser(path, profile string) (context.Context, func(), error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
		// A Chromium asks for its maker's hosts and looks for screens to cast to.
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
