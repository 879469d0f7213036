package mailer_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"tidings/services/mailer"
)

// TestParseAddress reads the list of addresses that package route/address of the notifier
// is tested with too: whoever may be notified can be written to.
func TestParseAddress(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("testdata/addresses.txt")
	if err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		in, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want := strings.TrimSpace(line[len(quoted):])
		got, err := mailer.ParseAddress(in)
		if want == "refused" {
			if refused++; err == nil {
				t.Errorf("%s is taken as %s", quoted, got)
			}
			continue
		}
		accepted++
		if want, unquoteErr := strconv.Unquote(want); unquoteErr != nil || err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s, %v", quoted, got, err, want, unquoteErr)
		}
	}
	if accepted < 20 || refused < 70 {
		t.Errorf("only %d addresses are taken and %d refused", accepted, refused)
	}
}

// FuzzParseAddress holds that what is accepted stands in a command as it is, and is
// accepted again as it is written there.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"ann@example.org", "änn@bücher.example", "a@b@c", "☃@example.com", "ann@xn--bcher-kva.example", "ann@example。org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, err := mailer.ParseAddress(in)
		if err != nil {
			return
		}
		_, domain, _ := strings.Cut(out, "@")
		if len(out) > 254 || strings.ContainsAny(out, "<>\"(),:;[]\\ \t\r\n\x00") || strings.Count(out, "@") != 1 || domain != strings.ToLower(domain) ||
			strings.ContainsFunc(domain, func(r rune) bool { return r >= 0x80 }) {
			t.Fatalf("%q became %q", in, out)
		}
		if again, err := mailer.ParseAddress(out); err != nil || again != out {
			t.Fatalf("%q became %q, and then %q, %v", in, out, again, err)
		}
	})
}
