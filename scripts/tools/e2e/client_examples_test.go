package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clientDir is the browser package, seen from this package.
const clientDir = root + "/shared/client"

// newExamples serves the example pages of the browser package to ann and returns
// their server's URL.
func newExamples(t *testing.T, p *process) string {
	t.Helper()
	token, err := exec.CommandContext(t.Context(), shared.binary, "token", "ann", "--data", p.data).Output()
	if err != nil {
		t.Fatalf("mint a token: %v", err)
	}
	return serveExamples(t, p, strings.TrimSpace(string(token)))
}

// serveExamples builds the pages and starts their own server in front of a process,
// as people do.
func serveExamples(t *testing.T, p *process, token string) string {
	t.Helper()
	dir := t.TempDir()
	bundle := exec.CommandContext(t.Context(), "go", "run", "./bundle", "-examples", dir)
	bundle.Dir = filepath.Join(root, "scripts", "tools")
	if out, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("build the examples: %v\n%s", err, out)
	}
	said := &transcript{}
	// It outlives t.Context, which ends before the clean-ups run.
	server := exec.Command(need(t, "node"), clientDir+"/examples/serve.mjs", dir, p.url, "0")
	server.Env = append(os.Environ(), "TIDINGS_TOKEN="+token)
	server.Stdout, server.Stderr = said, said
	if err := server.Start(); err != nil {
		t.Fatalf("start the examples' server: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = server.Wait() // it is killed in the end
		close(exited)
	}()
	t.Cleanup(func() {
		if err := server.Process.Kill(); err != nil {
			t.Errorf("the examples' server ended by itself: %v\n%s", err, said)
		}
		<-exited
	})
	url := ""
	if !poll(func() bool { url = said.find(`(http://\S+)/plain\.html\n`); return url != "" }, exited) {
		t.Fatalf("the examples' server did not start; it said:\n%s", said)
	}
	return url
}

// expectRestart is expectCuts for a page behind a proxy that says when its server
// is away.
func (p *page) expectRestart() {
	p.expectCuts()
	p.expect(`^network error: Failed to load resource: the server responded with a status of 502`)
}

// connected waits until the edge has exactly so many streams.
func (p *process) connected(n float64) {
	p.t.Helper()
	var have float64
	if !poll(func() bool { have = p.metric("tidings_edge_connections"); return have == n }, p.exited) {
		p.t.Fatalf("the edge has %v connections, want %v", have, n)
	}
}
