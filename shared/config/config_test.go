package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/shared/config"
)

// environ is an environment made of "NAME=value" texts.
func environ(vars ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, v := range vars {
			if text, ok := strings.CutPrefix(v, name+"="); ok {
				return text, true
			}
		}
		return "", false
	}
}

// file writes a settings file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tidings.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// faults flattens a joined error.
func faults(err error) []*config.Fault {
	if f, ok := err.(*config.Fault); ok {
		return []*config.Fault{f}
	}
	var all []*config.Fault
	if e, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range e.Unwrap() {
			all = append(all, faults(part)...)
		}
	}
	return all
}

func load(t *testing.T, args []string, vars ...string) *config.Settings {
	t.Helper()
	s, _, err := config.Load(args, environ(vars...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := load(t, nil)
	got := *s
	if ok, _ := regexp.MatchString(`^[A-Za-z0-9._-]+-[a-z2-7]{6}$`, s.Node); !ok {
		t.Errorf("Node is %q", s.Node)
	}
	if again := load(t, nil); again.Node == s.Node {
		t.Error("two processes have the same name")
	}
	want := config.Settings{
		HTTP: ":8080", Admin: "127.0.0.1:9090", Data: ".tidings", Prefix: "tidings", Replicas: 1,
		EventsAge: 24 * time.Hour, EventsPerTopic: 1000, EventsBytes: 1 << 30, TailBytes: 64 << 20,
		Heartbeat: 15 * time.Second, Drain: 10 * time.Second, MaxConnections: 20000, MaxConnectionsPerUser: 100, MaxTopics: 100,
		MailRetry: time.Minute, Brand: "Tidings", NotificationsAge: 168 * time.Hour, InboxItems: 200, InboxAge: 2160 * time.Hour, Mailbox: "127.0.0.1:1025",
		Raw: true, LogLevel: "info", LogFormat: "text", Node: s.Node,
	}
	a, b := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range a.NumField() {
		f := a.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			t.Errorf("%s is %v, want %v", f.Name, a.Field(i), b.Field(i))
		}
		if f.Tag.Get("name") == "" || f.Tag.Get("help") == "" {
			t.Errorf("%s lacks a tag", f.Name)
		}
		if from := s.Source(f.Tag.Get("name")); from.Kind != "default" {
			t.Errorf("%s comes from %v", f.Name, from)
		}
	}
}

// TestNames holds the names that the contract fixes.
func TestNames(t *testing.T) {
	t.Parallel()
	var usage strings.Builder
	if err := config.Usage(&usage); err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(`HTTP ADMIN TLS_CERT TLS_KEY RAW NATS DATA NATS_LISTEN NATS_MONITOR NATS_CREDS PREFIX REPLICAS JWT_SECRET JWT_KEYS
		JWT_JWKS JWT_AUDIENCE JWT_ISSUER SMTP EVENTS_AGE EVENTS_PER_TOPIC EVENTS_BYTES TAIL_BYTES ORIGINS TRUSTED_PROXIES HOOKS HEARTBEAT
		DRAIN MAX_CONNECTIONS MAX_CONNECTIONS_PER_USER MAX_CONNECTIONS_PER_IP MAX_TOPICS LOG_LEVEL LOG_FORMAT NODE CONFIG`) {
		if !regexp.MustCompile(`[ (]TIDINGS_` + name + `[,)]`).MatchString(usage.String()) {
			t.Errorf("no TIDINGS_%s", name)
		}
		if flag := "  --" + strings.ToLower(strings.ReplaceAll(name, "_", "-")) + " "; !strings.Contains(usage.String(), flag) {
			t.Errorf("no flag %s", flag)
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	path := file(t, `
		http = ":1"
		admin = ":11"
		prefix = "file"
		events_age = "1h"
		max_topics = 7
		tail_bytes = 2097152
		origins = ["https://A.example:443", "http://b.example:81"]
		trusted_proxies = ["10.0.0.0/8", "192.168.1.1"]`)
	s, rest, err := config.Load(
		[]string{"up", "--http", ":3", "edge", "-max-topics=9", "--", "--not-a-flag"},
		environ("TIDINGS_CONFIG="+path, "TIDINGS_HTTP=:2", "TIDINGS_PREFIX=env", "TIDINGS_ADMIN="),
		config.WithDefaults(map[string]string{"http": ":0", "nats-listen": "127.0.0.1:4222"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rest, []string{"up", "edge", "--not-a-flag"}) {
		t.Errorf("rest is %q", rest)
	}
	for _, tt := range []struct{ name, got, want, source string }{
		{"config", s.Config, path, "TIDINGS_CONFIG"},
		{"http", s.HTTP, ":3", "--http"},
		{"admin", s.Admin, ":11", path + ": admin"},
		{"prefix", s.Prefix, "env", "TIDINGS_PREFIX"},
		{"nats-listen", s.NATSListen, "127.0.0.1:4222", "default"},
		{"events-age", s.EventsAge.String(), "1h0m0s", path + ": events_age"},
		{"max-topics", fmt.Sprint(s.MaxTopics), "9", "--max-topics"},
		{"tail-bytes", s.TailBytes.String(), "2MiB", path + ": tail_bytes"},
		{"origins", fmt.Sprint(s.Origins), "[https://a.example http://b.example:81]", path + ": origins"},
		{"trusted-proxies", fmt.Sprint(s.TrustedProxies), "[10.0.0.0/8 192.168.1.1/32]", path + ": trusted_proxies"},
		{"heartbeat", s.Heartbeat.String(), "15s", "default"},
	} {
		if tt.got != tt.want || s.Source(tt.name).String() != tt.source {
			t.Errorf("%s is %q from %v, want %q from %q", tt.name, tt.got, s.Source(tt.name), tt.want, tt.source)
		}
	}
	// The flag names the file before the variable does, and may empty a setting.
	s = load(t, []string{"--config", file(t, `http = ":5"`), "--admin="}, "TIDINGS_CONFIG=/nowhere")
	if s.HTTP != ":5" || s.Admin != "" || s.Source("admin").Kind != "flag" {
		t.Errorf("got %q %q", s.HTTP, s.Admin)
	}
}

// TestBool: a bool can be said in every source, and its flag alone means true.
func TestBool(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, env string
		args      []string
		want      bool
		rest      int
	}{
		"default":        {want: true},
		"file":           {file: "raw = false"},
		"text in a file": {file: `raw = "false"`},
		"variable":       {env: "false"},
		"variable, 0":    {env: "0"},
		"empty variable": {env: "", want: true},
		"flag":           {args: []string{"--raw=false"}},
		"flag alone":     {env: "false", args: []string{"--raw", "edge"}, want: true, rest: 1},
		"flag over both": {file: "raw = false", env: "false", args: []string{"-raw=true"}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, rest, err := config.Load(c.args, environ("TIDINGS_CONFIG="+file(t, c.file), "TIDINGS_RAW="+c.env))
			if err != nil || s.Raw != c.want || len(rest) != c.rest {
				t.Errorf("got %v, rest %q, %v", s, rest, err)
			}
		})
	}
}

func TestCommandFlags(t *testing.T) {
	t.Parallel()
	var user string
	var admin bool
	var ttl time.Duration
	opts := []config.Option{config.WithFlags(func(fs *flag.FlagSet) {
		fs.StringVar(&user, "user", "", "the `id` of the user")
		fs.BoolVar(&admin, "as-admin", false, "make an administrator")
		fs.DurationVar(&ttl, "ttl", time.Hour, "how long")
	})}
	_, rest, err := config.Load([]string{"--user", "ann", "-", "--as-admin", "room.ops", "--ttl=5m", "--http", ":0"}, environ(), opts...)
	if err != nil || user != "ann" || !admin || ttl != 5*time.Minute || !slices.Equal(rest, []string{"-", "room.ops"}) {
		t.Errorf("got %q %v %v %q, %v", user, admin, ttl, rest, err)
	}
	_, _, err = config.Load([]string{"--ttl", "long", "--usr", "--http"}, environ(), opts...)
	for _, want := range []string{"--ttl: ", "--usr: there is no such flag; did you mean --user?", "--http: needs a value"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v misses %q", err, want)
		}
	}
	for _, help := range []string{"-h", "--help"} {
		if _, _, err := config.Load([]string{"--nonsense", help}, environ(), opts...); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s gave %v", help, err)
		}
	}
	var usage strings.Builder
	if err := config.Usage(&usage, append(opts, config.WithDefaults(map[string]string{"http": "127.0.0.1:8080"}))...); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  --user id\n        the id of the user\n",
		"  --as-admin\n        make an administrator\n",
		"  --ttl duration\n        how long (default 1h0m0s)\n",
		"  --http text\n        address of the public listener (TIDINGS_HTTP, default 127.0.0.1:8080)\n",
	} {
		if !strings.Contains(usage.String(), want) {
			t.Errorf("usage misses %q:\n%s", want, usage.String())
		}
	}
}

// TestManyFaults: everything that is wrong is told in one go, wherever it is.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	path := file(t, `
		htttp = ":1"
		events-age = "1h"
		TIDINGS_DRAIN = "1s"
		zzzzzzzz = 1
		heartbeat = 15
		replicas = 2
		origins = "nonsense, https://ok.example/path"
		log_level = true
		raw = 1
		tls_cert = "a.pem"
		config = "other.toml"
		[table]
		x = 1`)
	_, _, err := config.Load(
		[]string{"--config", path, "--http", "localhost", "--tail-bytes=-5MiB", "--events-bytes", "1GB", "--max-topic", "1"},
		environ("TIDINGS_LOG_LEVEL=loud", "TIDINGS_MAX_TOPICS=many", "TIDINGS_TRUSTED_PROXIES=10.0.0.1/8,x", "TIDINGS_DRAIN=-1s"),
	)
	var got []string
	for _, f := range faults(err) {
		got = append(got, strings.ReplaceAll(f.Error(), path, "FILE"))
	}
	want := []string{
		`--max-topic: there is no such flag; did you mean --max-topics?`,
		`FILE: htttp: there is no such setting; did you mean http?`,
		`FILE: events-age: there is no such setting; did you mean events_age?`,
		`FILE: TIDINGS_DRAIN: there is no such setting; did you mean drain?`,
		`FILE: zzzzzzzz: there is no such setting`,
		`heartbeat (FILE: heartbeat): must be text such as "15s" or "24h"`,
		`log-level (FILE: log_level): must be text in quotes`,
		`raw (FILE: raw): must be true or false`,
		`tls-cert (FILE: tls_cert): needs tls-key, the file with its private key; set both or neither`,
		`FILE: config: a file cannot name another file`,
		`FILE: table: there is no such setting`,
		`trusted-proxies (TIDINGS_TRUSTED_PROXIES): "10.0.0.1/8,x" "10.0.0.1/8" has bits beyond its length; write 10.0.0.0/8; "x" is no network such as 10.0.0.0/8 or fd00::/8`,
		`max-topics (TIDINGS_MAX_TOPICS): "many" must be a whole number`,
		`--events-bytes: "1GB" must be a number of bytes such as 64MiB, 1GiB or 1048576`,
		`--http: "localhost" is no address; write host:port or :port, with a port from 0 to 65535`,
		`replicas (FILE: replicas): must be 1 for the embedded NATS server, which is alone; set nats to use a cluster`,
		`replicas (FILE: replicas): 2 must be 1, 3 or 5: an odd number can always agree`,
		`origins (FILE: origins): "nonsense" is no origin; write https://host or https://host:port, without a path`,
		`origins (FILE: origins): "https://ok.example/path" is no origin; write https://host or https://host:port, without a path`,
		`drain (TIDINGS_DRAIN): -1s must be from 0s to 10m`,
		`--tail-bytes: -5MiB must be from 1MiB to 1TiB`,
		`log-level (TIDINGS_LOG_LEVEL): "loud" must be debug, info, warn or error`,
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("missing: %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("surplus: %s", g)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const secret32 = "0123456789abcdef0123456789abcdef"
	tests := []struct {
		args string
		want string // "" for fine
	}{
		{args: "--http 127.0.0.1:0 --admin 127.0.0.1:0"},
		{args: "--http [::1]:80 --admin :81"},
		{args: "--http :9090", want: "needs its own"},
		{args: "--http 127.0.0.2:9090"},
		{args: "--http :http", want: "no address"},
		{args: "--http :70000", want: "no address"},
		{args: "--http=", want: "no address"},
		{args: "--tls-cert a.pem --tls-key b.pem"},
		{args: "--tls-cert a.pem", want: "--tls-cert: needs tls-key"},
		{args: "--tls-key b.pem", want: "--tls-key: needs tls-cert"},
		{args: "--raw"},
		{args: "--raw=maybe", want: `"maybe" must be true or false`},
		{args: "--nats-listen 127.0.0.1:0"},
		{args: "--nats nats://a:4222,tls://b:4222"},
		{args: "--nats nats://a:4222 --replicas 3"},
		{args: "--nats a:4222", want: "nats://"},
		{args: "--nats http://a", want: "nats://"},
		{args: "--nats nats://a --nats-listen :0", want: "set only one"},
		{args: "--nats-monitor ftp://a", want: "http://"},
		{args: "--data=", want: "directory"},
		{args: "--prefix a.b", want: "letters"},
		{args: "--node a/b", want: "letters"},
		{args: "--node " + strings.Repeat("n", 65), want: "letters"},
		{args: "--jwt-secret " + secret32},
		{args: "--jwt-jwks https://id.example/keys"},
		{args: "--jwt-jwks http://localhost:1/keys"},
		{args: "--jwt-jwks http://id.example/keys", want: "https://"},
		{args: "--mail-from Ann<ann@example.com> --public-url https://a.example --mail-retry 1s --inbox-items 10"},
		{args: "--mail-from ann", want: "is no address"},
		{args: "--mail-domain a/b", want: "is no domain"},
		{args: "--mail-retry 1ns", want: "must be 100ms to"},
		{args: "--mail-per-domain 600/1h --mail-per-recipient 1/1s"},
		{args: "--mail-per-domain 600", want: "must be COUNT/TIME"},
		{args: "--mail-per-domain 0/1h", want: "must be COUNT/TIME"},
		{args: "--mail-per-recipient 5/1ms", want: "must be COUNT/TIME"},
		{args: "--mail-per-recipient 5/48h", want: "must be COUNT/TIME"},
		{args: "--mail-per-recipient x/1h", want: "must be COUNT/TIME"},
		{args: "--public-url http://a.example", want: "https://"},
		{args: "--app-url http://127.0.0.1:1"},
		{args: "--mail-secrets " + secret32, want: "needs public-url"},
		{args: "--public-url https://a.example --mail-secrets " + secret32},
		{args: "--public-url https://a.example --mail-secrets short", want: "under 32 bytes"},
		{args: "--bounce-domain b.example", want: "needs mail-secrets"},
		{args: "--dkim a.example=s1:key.pem"},
		{args: "--dkim a.example", want: "domain=selector:file"},
		{args: "--bounce-hooks a=standard:x", want: "mail-secrets must be set"},
		{args: "--bounce-hooks a --bounce-domain b.example --mail-secrets " + secret32, want: "name=kind:secret"},
		{args: "--bounce-listen :25", want: "mail-secrets must be set"},
		{args: "--bounce-listen :25 --bounce-domain b.example --mail-secrets " + secret32},
		{args: "--templates /nowhere", want: "no directory"},
		{args: "--inbox-items 251", want: "1 to 250"},
		{args: "--inbox-age 1s", want: "an hour to"},
		{args: "--notifications-age 1h", want: "two days"},
		{args: "--smtp smtp://u:p@a:587,smtps://b"},
		{args: "--smtp smtp://a,mail.example", want: "server 2"},
		{args: "--origins *"},
		{args: "--origins https://*.example", want: "no origin"},
		{args: "--origins null", want: "no origin"},
		{args: "--hooks gh=github:" + secret32 + ",am=alertmanager:room.alerts:" + secret32},
		{args: "--hooks gh=github:" + secret32 + ",gh=hmac:" + secret32, want: "two webhooks"},
		{args: "--hooks gh=gitlab:" + secret32, want: "kind must be"},
		{args: "--hooks gh=github:rom.ops:" + secret32, want: "topic must be"},
		{args: "--hooks gh=github:room.*:" + secret32, want: "topic must be"},
		{args: "--hooks gh=github:short", want: "at least 16"},
		{args: "--hooks Gh=github:" + secret32, want: "name must be"},
		{args: "--hooks github:" + secret32, want: "name=kind:secret"},
		{args: "--events-age 100ms", want: "from 1s to 8760h"},
		{args: "--events-per-topic 0", want: "from 1"},
		{args: "--max-connections-per-ip -1", want: "from 0"},
		{args: "--heartbeat 60s", want: "to 55s"},
		{args: "--log-format xml", want: "text or json"},
		{args: "--config /nowhere/at/all.toml", want: "cannot be opened"},
		{args: "--config .", want: "cannot be read"},
		{args: "---http :1", want: "no such flag"},
		{args: "--=x", want: "no such flag"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Load(strings.Fields(tt.args), environ())
			switch all := faults(err); {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (len(all) != 1 || !strings.Contains(all[0].Error(), tt.want)):
				t.Errorf("got %v, want one fault with %q", err, tt.want)
			}
		})
	}
	if _, _, err := config.Load(nil, environ(), config.WithDefaults(map[string]string{"htp": "x"})); err == nil {
		t.Error("a default for nothing must be a fault")
	}
}

// TestSecretsStayHidden looks for secrets in everything that settings and faults
// can be turned into.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	const mark = "hunter2"
	long := mark + strings.Repeat("x", 32)
	s := load(t, nil, "TIDINGS_JWT_SECRET="+long, "TIDINGS_SMTP=smtp://u:"+mark+"@a:587,smtps://"+mark+"@b",
		"TIDINGS_HOOKS=gh=github:"+long+",am=alertmanager:room.alerts:"+long,
		"TIDINGS_NATS=nats://ann:"+mark+"@a:4222,nats://"+mark+"@b:4222", "TIDINGS_JWT_JWKS=https://u:"+mark+"@id.example/k?key="+mark)
	if s.JWTSecret.Reveal() != long || !strings.Contains(s.NATS.Reveal(), mark) || s.Hooks[1].Secret.Reveal() != long {
		t.Fatal("Reveal must give the secrets")
	}
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out = append(out, fmt.Sprintf(verb, s), fmt.Sprintf(verb, *s), fmt.Sprintf(verb, s.NATS), fmt.Sprintf(verb, s.Hooks), fmt.Sprintf(verb, s.SMTP))
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var text, jsonLog, described bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "s", s, "v", *s, "nats", s.NATS, "hook", s.Hooks[0])
	slog.New(slog.NewJSONHandler(&jsonLog, nil)).Info("m", "s", s, "v", *s, "nats", s.NATS, "hook", s.Hooks[0])
	if err := s.Describe(&described); err != nil {
		t.Fatal(err)
	}
	out = append(out, string(data), text.String(), jsonLog.String(), described.String())

	// Wrong values are not quoted either, wherever they stand.
	for _, bad := range []string{
		"jwt_secret = " + mark, "jwt_secret = [\"" + mark + "\"]", "smtp = [\"" + mark + "\"]",
		"hooks = \"" + mark + "\"", "nats = \"" + mark + "\"", "nats = \"nats://a b:" + mark + "@%\"", "jwt_jwks = \"http://u:" + mark + "@x\"", "http = \"" + mark[:0] + "\n" + mark + "\"",
	} {
		_, _, err := config.Load([]string{"--config", file(t, bad)}, environ())
		if err == nil {
			t.Errorf("%s must be a fault", bad)
			continue
		}
		out = append(out, err.Error())
	}
	for _, text := range out {
		if strings.Contains(text, mark) || strings.Contains(text, fmt.Sprintf("%x", mark)) {
			t.Errorf("a secret shows in: %s", text)
		}
	}
	for _, want := range []string{
		`(?m)^nats +nats://ann:hidden@a:4222,nats://hidden@b:4222 +TIDINGS_NATS$`,
		`(?m)^jwt-secret +\[hidden\] +TIDINGS_JWT_SECRET$`,
		`(?m)^hooks +gh=github:\[hidden\],am=alertmanager:room.alerts:\[hidden\] +TIDINGS_HOOKS$`,
		`(?m)^jwt-jwks +https://u:hidden@id.example/k\?hidden +`,
		`(?m)^events-age +24h +default$`,
		`(?m)^events-bytes +1GiB +default$`,
		`(?m)^nats-creds +- +default$`,
		`(?m)^raw +true +default$`,
	} {
		if !regexp.MustCompile(want).Match(described.Bytes()) {
			t.Errorf("the description misses %s:\n%s", want, described.String())
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]config.Size{
		"0": 0, "1": 1, "1500": 1500, "1KiB": 1 << 10, "64MiB": 64 << 20, "1 GiB": 1 << 30, "3TiB": 3 << 40, "-1KiB": -1024,
	} {
		got, err := config.ParseSize(in)
		if err != nil || got != want {
			t.Errorf("%q gave %d, %v", in, got, err)
		}
		if back, err := config.ParseSize(got.String()); err != nil || back != got {
			t.Errorf("%q became %q", in, got)
		}
	}
	for _, in := range []string{"", "MiB", "1MB", "1.5GiB", "1e3", "9999999999TiB", "0x10", "1 mib", "9223372036854775808"} {
		if got, err := config.ParseSize(in); err == nil {
			t.Errorf("%q gave %d", in, got)
		}
	}
}

// FuzzLoad: no input makes Load panic, and a faulty one never comes with settings.
func FuzzLoad(f *testing.F) {
	f.Add("--http", "edge", "a=github:room.a:0123456789abcdef")
	f.Add("--nats=nats://a:b@c", "--", "https://a.example:443")
	f.Add("-h=", "--replicas", "10.0.0.0/8,::1")
	f.Fuzz(func(t *testing.T, a, b, list string) {
		s, _, err := config.Load([]string{a, b}, environ("TIDINGS_HOOKS="+list, "TIDINGS_ORIGINS="+list, "TIDINGS_TRUSTED_PROXIES="+list, "TIDINGS_NATS="+list))
		if (s == nil) != (err != nil) {
			t.Fatalf("got %v, %v", s, err)
		}
	})
}
