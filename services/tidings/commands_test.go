package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"

	"tidings/shared/auth"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// TestUsage: what is asked for wrongly exits with 2 and says what would be right.
func TestUsage(t *testing.T) {
	t.Parallel()
	signed := []string{"TIDINGS_JWT_SECRET=" + secret}
	for _, c := range []struct {
		args string
		env  []string
		code int
		want []string // in what it says, on either output
	}{
		{"", nil, 2, []string{"Usage:", "dev", "up SERVICE", "token"}},
		{"help", nil, 0, []string{"Usage:", "dev"}},
		{"--help", nil, 0, []string{"Usage:"}},
		{"devv", nil, 2, []string{`no command "devv"`, "Usage:", "dev"}},
		{"dev --help", nil, 0, []string{"--nats-listen", "127.0.0.1:4222", "TIDINGS_NATS_LISTEN"}},
		{"dev room.ops", nil, 2, []string{"no arguments", "room.ops"}},
		{"dev --htpp :1", nil, 2, []string{"--htpp", "did you mean --http", "dev --help"}},
		{"dev --heartbeat soon", nil, 2, []string{"heartbeat", `"soon"`}},
		{"up", signed, 2, []string{"edge, producer, console"}},
		{"up egde", signed, 2, []string{`"egde"`, "edge, producer, console", "up --help"}},
		{"up edge --replicas 2 --drain -1s", signed, 2, []string{"replicas", "drain"}}, // all faults at once
		{"up edge --config nowhere.toml", signed, 2, []string{"nowhere.toml"}},
		{"token", nil, 2, []string{"TIDINGS_JWT_SECRET", "dev"}},
		{"token a b", signed, 2, []string{"one user"}},
		{"token --ttl -1s", signed, 2, []string{"lifetime"}},
		{"token --sub room..x", signed, 2, []string{"room..x"}},
		{"pub", nil, 2, []string{"topic"}},
		{"pub room..ops 1", nil, 2, []string{"room..ops"}},
		{"pub room.ops 1 2", nil, 2, []string{"topic and the data"}},
		{"pub room.ops 1 --type tidings.hello", nil, 2, []string{"type"}},
		{"sub", nil, 2, []string{"room.ops"}},
		{"sub room.>.x", nil, 2, []string{"room.>.x"}},
		{"pub room.ops 1 --nats nats://ann:hidden-word@127.0.0.1:1", nil, 1, []string{"127.0.0.1:1", "NATS is away"}},
		{"version", nil, 0, []string{"tidings ", "go1.", "github.com/nats-io/nats-server/v2 v2."}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			out, log, code := run(t, spec{args: strings.Fields(c.args), env: c.env})
			if code != c.code {
				t.Errorf("exit code %d, want %d; said %s%s", code, c.code, out, log)
			}
			for _, want := range c.want {
				if !strings.Contains(out+log, want) {
					t.Errorf("it does not say %q: %s%s", want, out, log)
				}
			}
			if strings.Contains(out+log, "hidden-word") {
				t.Errorf("it tells the password: %s%s", out, log)
			}
			if code != 0 && len(c.args) > 0 && out != "" {
				t.Errorf("a failure wrote to standard output: %q", out)
			}
		})
	}
}

// TestToken: one line, which a verifier with the same secret accepts for what was
// asked.
func TestToken(t *testing.T) {
	t.Parallel()
	verifier, err := auth.NewVerifier(t.Context(), auth.Config{Secret: []byte(secret)}, testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	for args, want := range map[string]auth.Grant{
		"":                                       {User: "dev", Sub: []subject.Pattern{"room.>"}, Pub: []subject.Pattern{"room.>"}},
		"ann@example.com":                        {User: "ann@example.com", Sub: []subject.Pattern{"room.>"}, Pub: []subject.Pattern{"room.>"}},
		"--user ann --ttl 10m":                   {User: "ann", Sub: []subject.Pattern{"room.>"}, Pub: []subject.Pattern{"room.>"}},
		"--sub room.a,room.b.* bob --pub all":    {User: "bob", Sub: []subject.Pattern{"room.a", "room.b.*"}, Pub: []subject.Pattern{"all"}},
		"--sub room.a --sub room.b bob":          {User: "bob", Sub: []subject.Pattern{"room.a", "room.b"}, Pub: []subject.Pattern{"room.>"}},
		"root --as-admin --notify --sub= --pub=": {User: "root", Sub: []subject.Pattern{"room.>"}, Pub: []subject.Pattern{"room.>"}, Admin: true, Notify: true},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			out, log, code := run(t, spec{args: append([]string{"token"}, strings.Fields(args)...), env: []string{"TIDINGS_JWT_SECRET=" + secret}})
			tok, rest, ok := strings.Cut(out, "\n")
			if code != 0 || !ok || rest != "" || strings.ContainsFunc(tok, unicode.IsSpace) {
				t.Fatalf("exit code %d, said %q and %q", code, out, log)
			}
			g, err := verifier.Verify(t.Context(), tok)
			if err != nil {
				t.Fatal(err)
			}
			ttl := time.Hour
			if strings.Contains(args, "--ttl 10m") {
				ttl = 10 * time.Minute
			}
			if left := g.Expires.Sub(began); left < ttl-2*time.Second || left > ttl+testkit.Patience {
				t.Errorf("the token lives for %v, want %v", left, ttl)
			}
			got := *g
			got.Expires, got.TokenID = time.Time{}, ""
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("grant %+v, want %+v", got, want)
			}
		})
	}
}

// TestPubAndSub goes around through a running process, in every form.
func TestPubAndSub(t *testing.T) {
	t.Parallel()
	d := dev(t, t.TempDir())
	to := func(args ...string) []string { return append(args, "--nats", d.nats) }
	pub := func(stdin string, args ...string) string {
		t.Helper()
		out, log, code := run(t, spec{args: to(append([]string{"pub"}, args...)...), stdin: stdin})
		cursor, rest, ok := strings.Cut(out, "\n")
		if code != 0 || !ok || rest != "" {
			t.Fatalf("pub %v: exit code %d, said %q and %q", args, code, out, log)
		}
		position(t, cursor)
		return cursor
	}

	// Who subscribes now sees what comes, and nothing that was.
	live := launch(t, spec{args: to("sub", "room.live.*")})
	nc := connect(t, d.nats)
	n := 0
	testkit.Eventually(t, "the subscriber to print", func() bool {
		n++
		if err := nc.Publish("tidings.ev.room.live.x", fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
			t.Fatal(err)
		}
		return live.out.String() != ""
	})
	live.out.await(t, `room\.live\.x  message  \{"n":\d+\}\n`)

	first := pub("", "room.t.one", `{"x":1}`)
	second := pub("from the pipe\n", "room.t.two")
	pub(`{"x":3}`, "room.t.one", "-", "--type", "cpu", "--id", "i3", "--source", "me")
	if again := pub(`{"x":3}`, "room.t.one", "-", "--type", "cpu", "--id", "i3"); again == "" {
		t.Error("a repetition has no cursor")
	}
	pub("", "all", "5")
	// What is on the wire may be hostile: escape sequences as text, in JSON, in bytes.
	for _, data := range []string{"\x1b[2J\x1b]0;owned\x07", "{\"a\":\"\u009b31m\u007f\"}", "\x9b31m", "a\rb\u2028"} {
		m := &nats.Msg{Subject: "tidings.ev.room.t.evil", Data: []byte(data), Header: nats.Header{"ce-type": {"x\u009by"}, "ce-source": {"\x1b[1m"}}}
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	last := pub("", "room.t.one", `"end"`)

	all := launch(t, spec{args: to("sub", "room.t.>", "all", "--since", "all")})
	all.out.await(t, `"end"\n`)
	lines := strings.Split(strings.TrimSuffix(all.out.String(), "\n"), "\n")
	if len(lines) != 9 {
		t.Fatalf("%d lines, want 9: %q", len(lines), lines)
	}
	for i, want := range []string{first + "  ", second + "  ", "  room.t.one  cpu  {\"x\":3}", "  all  message  5"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %q, want %q in it", i, lines[i], want)
		}
	}
	if !strings.Contains(lines[1], `"from the pipe\n"`) {
		t.Errorf("standard input became %q", lines[1])
	}

	asJSON := launch(t, spec{args: to("sub", "room.t.>", "--since", second, "--json")})
	asJSON.out.await(t, `"data":"end","cursor":"`+last+`"`)
	lines = strings.Split(strings.TrimSuffix(asJSON.out.String(), "\n"), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 6: %q", len(lines), lines)
	}
	var kinds []string
	for _, line := range lines {
		var e struct {
			Topic, Type, ID, Source, Cursor string
			Data                            any
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds = append(kinds, e.Topic+" "+e.Type+" "+e.Source)
	}
	if kinds[0] != "room.t.one cpu me" || kinds[1] != "room.t.evil message " || kinds[5] != "room.t.one message " {
		t.Errorf("events: %q", kinds)
	}
	for name, p := range map[string]*process{"sub": all, "sub --json": asJSON} {
		for _, r := range p.out.String() {
			if r != '\n' && unicode.IsControl(r) {
				t.Errorf("%s wrote the control character %U: %q", name, r, p.out)
			}
		}
		p.signal(syscall.SIGINT)
		if code := p.wait(); code != 0 {
			t.Errorf("%s: exit code %d after Ctrl-C", name, code)
		}
	}

	// An old cursor is no reason to be silent.
	void := launch(t, spec{args: to("sub", "room.t.>", "--since", "AAAAAAAAAAAA-7")})
	void.log.await(t, `history between AAAAAAAAAAAA-7 and \S+ is gone`)
	void.out.await(t, `"end"\n`)
	if _, log, code := run(t, spec{args: to("sub", "all", "--since", "yesterday")}); code != 2 || !strings.Contains(log, "--since") {
		t.Errorf("sub --since yesterday: exit code %d, said %q", code, log)
	}

	// An ephemeral event arrives and is not stored.
	s, err := open(t.Context(), d.url, d.token, "room.t.eph", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	await := awaiter(t, s)
	await("tidings.live")
	if out, log, code := run(t, spec{args: to("pub", "room.t.eph", "1", "--type", "typing", "--ephemeral")}); code != 0 || out != "" {
		t.Errorf("pub --ephemeral: exit code %d, said %q and %q", code, out, log)
	}
	if b := await("typing"); b.id != "" {
		t.Errorf("an ephemeral event has the id %s", b.id)
	}
	if _, body := get(t, d.url+"/v1/topics/room.t.eph/events", "Authorization", "Bearer "+d.token); !strings.Contains(body, `"events":[]`) {
		t.Errorf("an ephemeral event was stored: %s", body)
	}
}

// TestConfig: settings from all sources, with their source and without secrets.
func TestConfig(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tidings.toml")
	if err := os.WriteFile(file, []byte("heartbeat = \"20s\"\ndrain = \"7s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, log, code := run(t, spec{
		args: []string{"config", "--config", file, "--drain", "9s"},
		env: []string{
			"TIDINGS_JWT_SECRET=" + secret, "TIDINGS_NATS=nats://ann:hidden-word@nats.example:4222,nats://hidden-token@b.example",
			"TIDINGS_HOOKS=ci=hmac:hidden-hook-secret", "TIDINGS_SMTP=smtp://u:hidden-mail@mail.example:587",
			"TIDINGS_JWT_JWKS=https://keys.example/jwks?key=hidden-key", "TIDINGS_NATS_MONITOR=http://ann:hidden-monitor@nats.example:8222",
		},
	})
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, log)
	}
	for _, s := range []string{secret, "hidden-"} {
		if strings.Contains(out+log, s) {
			t.Errorf("it shows %q: %s%s", s, out, log)
		}
	}
	for _, want := range [][]string{
		{"heartbeat", "20s", file},
		{"drain", "9s", "--drain"},
		{"http", ":8080", "default"},
		{"jwt-secret", "[hidden]", "TIDINGS_JWT_SECRET"},
		{"nats", "nats.example:4222", "TIDINGS_NATS"},
		{"smtp", "", "TIDINGS_SMTP"},
		{"events-bytes", "1GiB", "default"},
	} {
		found := false
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			found = found || f[0] == want[0] && strings.Contains(line, want[1]) && strings.Contains(line, want[2])
		}
		if !found {
			t.Errorf("no line says %q: %s", want, out)
		}
	}
}

// TestFaultsHideSecrets: a setting that is wrong is named, not shown.
func TestFaultsHideSecrets(t *testing.T) {
	t.Parallel()
	_, log, code := run(t, spec{args: []string{"up", "edge"}, env: []string{
		"TIDINGS_NATS=nats://ann:hidden word@nats.example", "TIDINGS_HOOKS=ci=hmac:hidden", "TIDINGS_SMTP=hidden", "TIDINGS_JWT_JWKS=gopher://hidden",
	}})
	if code != 2 || strings.Contains(log, "hidden word") || strings.Contains(log, "gopher") {
		t.Errorf("exit code %d, said %s", code, log)
	}
	for _, name := range []string{"TIDINGS_HOOKS", "TIDINGS_SMTP", "TIDINGS_JWT_JWKS"} {
		if !strings.Contains(log, name) {
			t.Errorf("%s is not named: %s", name, log)
		}
	}
	// Too short for production, whatever it is.
	nats := startNATS(t)
	_, log, code = run(t, spec{args: []string{"up", "edge", "--nats", nats.url(), "--http", "127.0.0.1:0", "--admin="}, env: []string{"TIDINGS_JWT_SECRET=hush-hush"}})
	if code != 1 || strings.Contains(log, "hush-hush") || !strings.Contains(log, "32") {
		t.Errorf("a weak secret: exit code %d, said %s", code, log)
	}
}

// TestSignalWhileWaiting: a process that waits for NATS can be told to go, and does
// so without a complaint; one that was told twice goes at once.
func TestSignalWhileWaiting(t *testing.T) {
	t.Parallel()
	p := launch(t, spec{
		args: []string{"up", "edge", "--nats", "nats://" + address(freePort(t)), "--http", "127.0.0.1:0", "--admin="},
		env:  []string{"TIDINGS_JWT_SECRET=" + secret},
	})
	p.log.await(t, "waiting for NATS")
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	d := dev(t, t.TempDir(), "--drain", "10m")
	s, err := open(t.Context(), d.url, d.token, "all", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	awaiter(t, s)("tidings.live")
	d.signal(syscall.SIGTERM)
	testkit.Eventually(t, "the node to drain", func() bool {
		code, body := get(t, d.admin+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	testkit.Eventually(t, "the node to end", func() bool {
		// It fails if the process has ended. One signal may come too soon after the first.
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		return d.ended()
	})
	if code := d.wait(); code == 0 {
		t.Error("a drain that was cut short passes for a clean stop")
	}
}
