package address_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"tidings/services/notifier/route/address"
)

// addresses is the mailer's list. What is accepted here and refused there would be told
// to nobody, and the caller would not learn of it.
const addresses = "../../../mailer/testdata/addresses.txt"

func TestEmail(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(addresses)
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
		email, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want := strings.TrimSpace(line[len(quoted):]) != "refused"
		if want {
			accepted++
		} else {
			refused++
		}
		if got := address.Email(email); got != want {
			t.Errorf("%s: %v", quoted, got)
		}
	}
	if accepted < 20 || refused < 70 {
		t.Errorf("only %d addresses are taken and %d refused", accepted, refused)
	}
}

func TestPhone(t *testing.T) {
	t.Parallel()
	for phone, want := range map[string]bool{
		"+4930123456": true, "+1234567": true, "+123456789012345": true,
		"": false, "+": false, "4930123456": false, "+0930123456": false, "+123456": false, "+1234567890123456": false, "+49 30 1234": false, "+49٣٣٣٣٣٣": false,
	} {
		if address.Phone(phone) != want {
			t.Errorf("%q: %v", phone, !want)
		}
	}
}

// FuzzEmail holds what must be true of every address that is accepted.
func FuzzEmail(f *testing.F) {
	for _, s := range []string{"ann@example.org", "änn@bücher.example", "a@b@c", "☃@example.com", "ann@xn--a.org", "ann@example。org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, email string) {
		if !address.Email(email) {
			return
		}
		local, domain, ok := strings.Cut(email, "@")
		if !ok || local == "" || domain == "" || len(email) > 254 || strings.ContainsFunc(local, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>\"(),:;[]\\@", r)
		}) || strings.ContainsAny(domain, " \t\r\n\x00<>@,;") {
			t.Fatalf("%q is taken", email)
		}
	})
}
