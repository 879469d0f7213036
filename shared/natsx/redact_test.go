package natsx_test

import (
	"net/url"
	"strings"
	"testing"

	"tidings/shared/natsx"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                     "",
		"nats://host:4222":                     "nats://host:4222",
		"host:4222":                            "host:4222",
		"nats://user:secret@host:4222":         "nats://…@host:4222",
		"user:secret@host:4222":                "…@host:4222",
		"nats://secret@host":                   "nats://…@host",
		"tls://user:secret@[::1]:4222":         "tls://…@[::1]:4222",
		"wss://user:secret@host/path":          "wss://…@host/path",
		"nats://a:1,nats://user:secret@b:2":    "nats://a:1,nats://…@b:2",
		"nats://u:secret@a,tls://v:secret@b":   "nats://…@a,tls://…@b",
		"a:1,b:2,c:3":                          "a:1,b:2,c:3",
		"nats://user:p@secret@host":            "nats://…@host",
		"nats://user:a/secret@host":            "nats://…@host",
		"nats://user:a://secret@host":          "nats://…@host",
		"user://secret@host":                   "…@host",
		"nats://user:secret,secret@host":       "nats://…,…@host",
		"nats://user:a@secret,b,c@host":        "nats://…,…,…@host",
		"nats://a,nats://user:secret,b@host,c": "nats://a,nats://…,…@host,c",
		"nats://user:secret@":                  "nats://…@",
		"nats://@host":                         "nats://…@host",
	} {
		got := natsx.Redact(in)
		if got != want || strings.Contains(got, "secret") {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzRedact puts credentials into a list of servers and looks at every piece of
// what is shown: only the servers' names may be left.
func FuzzRedact(f *testing.F) {
	f.Add("user", "secret")
	f.Add("", "a@b")
	f.Add("a,b", "c,d@e")
	f.Add("a://b", "/c?d#e")
	f.Add("a", "b,c://d")
	f.Fuzz(func(t *testing.T, user, password string) {
		for _, credentials := range []string{user + ":" + password, password, url.UserPassword(user, password).String()} {
			for _, scheme := range []string{"nats://", "tls://", "ws://", "wss://"} {
				if strings.Contains(credentials, ","+scheme) {
					return // nats.go too takes this for the next server
				}
			}
			got := natsx.Redact("nats://zero:1,nats://" + credentials + "@one:2,two:3")
			for i, piece := range strings.Split(got, ",") {
				switch piece {
				case "nats://zero:1", "nats://…@one:2", "nats://…", "…", "…@one:2", "two:3":
				default:
					t.Fatalf("credentials %q: piece %d of %q", credentials, i, got)
				}
			}
		}
		_ = natsx.Redact(password) // whatever it is
	})
}
