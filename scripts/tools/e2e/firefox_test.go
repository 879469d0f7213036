package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// firefoxSettings keep a fresh profile from asking, updating itself and calling home.
const firefoxSettings = `
// Whatever it wants from elsewhere, it asks a proxy that is not there. Loopback
// needs none.
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 1);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 1);
user_pref("network.proxy.socks", "127.0.0.1");
user_pref("network.proxy.socks_port", 1);
user_pref("network.proxy.socks_remote_dns", true);
user_pref("network.proxy.failover_direct", false);
user_pref("network.proxy.allow_bypass", false);
user_pref("network.trr.mode", 5);
user_pref("network.dns.disablePrefetch", true);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("dom.push.connection.enabled", false);
// No pages of its own.
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
// No updates.
user_pref("app.normandy.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.search.update", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
`

// TestCompressedFirefox reads streams with Firefox's EventSource. The wire proves
// that they were compressed: Firefox shows it to nobody.
func TestCompressedFirefox(t *testing.T) {
	t.Parallel()
	path := findFirefox(t)
	s := newStage(t)
	startFirefox(t, path, s.URL+"/page.html")
	s.attend(s.tidings)
	s.wire.judge(2)
}

func findFirefox(t *testing.T) string {
	t.Helper()
	names := []string{"firefox-esr", "firefox"}
	if path := os.Getenv("TIDINGS_FIREFOX"); path != "" {
		names = []string{path}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Firefox found: this test needs one; install it (Debian: apt-get install firefox-esr) or set TIDINGS_FIREFOX to its path")
	return ""
}

// startFirefox opens a page in a headless Firefox with a home and a profile of its
// own. It and all its processes are gone when the test is over.
func startFirefox(t *testing.T, path, url string) {
	t.Helper()
	home := t.TempDir()
	profile := filepath.Join(home, "profile")
	if err := os.Mkdir(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(firefoxSettings), 0o600); err != nil {
		t.Fatal(err)
	}
	// It outlives t.Context, which ends before the clean-ups run.
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "-headless", "-no-remote", "-profile", profile, url)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "MOZ_CRASHREPORTER_DISABLE=1"}
	said := &transcript{}
	cmd.Stdout, cmd.Stderr = said, said
	// All its processes are one group. Wait returns when none of them has its output
	// any more, so nobody writes to the profile while that is removed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = dying
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("start %s: %v", path, err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("Firefox said:\n%s", said)
		}
	})
}
