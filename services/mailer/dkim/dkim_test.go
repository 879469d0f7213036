package dkim_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	verify "github.com/emersion/go-msgauth/dkim"

	"tidings/services/mailer/dkim"
	"tidings/shared/telemetry"
)

// secret writes a key down as PEM.
func secret(t *testing.T, key crypto.PrivateKey) telemetry.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return telemetry.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func rsaPEM(t *testing.T, bits int) telemetry.Secret {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return secret(t, key)
}

func edPEM(t *testing.T) telemetry.Secret {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return secret(t, key)
}

func newSigner(t *testing.T, keys ...dkim.Key) *dkim.Signer {
	t.Helper()
	s, err := dkim.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const letter = "From: Tidings <news@example.com>\r\n" +
	"To: Ann <ann@example.org>\r\n" +
	"Subject: Your order is under way\r\n" +
	"Date: Mon, 02 Nov 2026 10:00:00 +0000\r\n" +
	"Message-ID: <key@example.com>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"List-Id: <orders.example.com>\r\n" +
	"List-Unsubscribe: <https://example.com/v1/unsubscribe/abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz>\r\n" +
	"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" +
	"Content-Type: text/plain; charset=UTF-8\r\n" +
	"\r\n" +
	"Hello.\r\n..\r\n.dots  and spaces \r\n\r\n"

// check verifies all signatures of a mail against records, and returns the domains of
// those that are good, and the first error of those that aren't.
func check(t *testing.T, mail []byte, records ...dkim.Record) (domains []string, err error) {
	t.Helper()
	found, e := verify.VerifyWithOptions(bytes.NewReader(mail), &verify.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		for _, r := range records {
			if r.Name == name {
				return []string{r.Value}, nil
			}
		}
		return nil, fmt.Errorf("no record %s", name)
	}})
	if e != nil {
		t.Fatal(e)
	}
	for _, v := range found {
		if v.Err == nil {
			domains = append(domains, v.Domain)
		} else if err == nil {
			err = v.Err
		}
	}
	return domains, err
}

func TestSign(t *testing.T) {
	t.Parallel()
	s := newSigner(t,
		dkim.Key{Domain: "Example.com", Selector: "r1", PEM: rsaPEM(t, 2048)},
		dkim.Key{Domain: "example.com", Selector: "e1", PEM: edPEM(t)},
		dkim.Key{Domain: "example.net", Selector: "e1", PEM: edPEM(t)})
	for _, c := range []struct {
		domain string
		want   string
	}{
		{"example.com", "[example.com example.com]"},
		{"EXAMPLE.com", "[example.com example.com]"},
		{"news.example.com", "[example.com example.com]"},
		{"example.net", "[example.net]"},
		{"badexample.net", "[]"},
		{"example.org", "[]"},
	} {
		mail, err := s.Sign(c.domain, []byte(letter))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(mail, []byte(letter)) {
			t.Errorf("%s: the mail was changed", c.domain)
		}
		domains, err := check(t, mail, s.Records()...)
		if got := fmt.Sprint(domains); got != c.want || err != nil {
			t.Errorf("%s: signed for %s, %v; want %s", c.domain, got, err, c.want)
		}
	}
}

func TestSignNothing(t *testing.T) {
	t.Parallel()
	var none *dkim.Signer
	for _, s := range []*dkim.Signer{none, newSigner(t)} {
		mail, err := s.Sign("example.com", []byte(letter))
		if err != nil || string(mail) != letter || len(s.Records()) != 0 {
			t.Errorf("%q, %v, %v", mail, err, s.Records())
		}
	}
}

func TestTampering(t *testing.T) {
	t.Parallel()
	s := newSigner(t, dkim.Key{Domain: "example.com", Selector: "e1", PEM: edPEM(t)})
	signed, err := s.Sign("example.com", []byte(letter))
	if err != nil {
		t.Fatal(err)
	}
	mail := string(signed)
	for name, tampered := range map[string]string{
		"List-Unsubscribe":      strings.Replace(mail, "https://example.com/v1", "https://evil.example/v1", 1),
		"List-Unsubscribe-Post": strings.Replace(mail, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", 1),
		"List-Id":               strings.Replace(mail, "orders.example.com", "others.example.com", 1),
		"To":                    strings.Replace(mail, "ann@", "bob@", 1),
		"Message-ID":            strings.Replace(mail, "<key@", "<kex@", 1),
		"body":                  strings.Replace(mail, "Hello", "Hallo", 1),
		"a second From":         "From: evil@example.com\r\n" + mail,
		"a second Subject":      "Subject: Pay here\r\n" + mail,
		"a second unsubscribe":  "List-Unsubscribe: <https://evil.example.com/>\r\n" + mail,
		"a Reply-To":            "Reply-To: evil@example.com\r\n" + mail,
	} {
		if tampered == mail {
			t.Fatalf("%s: nothing was changed", name)
		}
		if domains, err := check(t, []byte(tampered), s.Records()...); err == nil || len(domains) > 0 {
			t.Errorf("%s: still signed for %v", name, domains)
		}
	}
	relaxed := strings.Replace(mail, "Subject: Your order", "subject:  Your  order", 1)
	if _, err := check(t, []byte(relaxed), s.Records()...); err != nil {
		t.Errorf("white space, which servers change, breaks the signature: %v", err)
	}
}

// TestRotation sends with a new key while mails signed with the old one are under way.
func TestRotation(t *testing.T) {
	t.Parallel()
	before := newSigner(t, dkim.Key{Domain: "example.com", Selector: "spring", PEM: rsaPEM(t, 2048)})
	after := newSigner(t, dkim.Key{Domain: "example.com", Selector: "autumn", PEM: edPEM(t)})
	records := append(before.Records(), after.Records()...)
	for _, s := range []*dkim.Signer{before, after} {
		mail, err := s.Sign("example.com", []byte(letter))
		if err != nil {
			t.Fatal(err)
		}
		if domains, err := check(t, mail, records...); len(domains) != 1 || err != nil {
			t.Errorf("%v, %v", domains, err)
		}
		if s == before {
			if _, err := check(t, mail, after.Records()...); err == nil {
				t.Error("verified without its record")
			}
		}
	}
}

func TestSignAtOnce(t *testing.T) {
	t.Parallel()
	s := newSigner(t, dkim.Key{Domain: "example.com", Selector: "e1", PEM: edPEM(t)})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			mail, err := s.Sign("example.com", []byte(letter))
			if err != nil {
				t.Error(err)
				return
			}
			if domains, err := check(t, mail, s.Records()...); len(domains) != 1 || err != nil {
				t.Errorf("%v, %v", domains, err)
			}
		})
	}
	all.Wait()
}

func TestBadKeys(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := edPEM(t)
	short, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // too short on purpose
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]dkim.Key{
		"no PEM":         {{Domain: "example.com", Selector: "s", PEM: "hunter2"}},
		"broken":         {{Domain: "example.com", Selector: "s", PEM: "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n"}},
		"short":          {{Domain: "example.com", Selector: "s", PEM: secret(t, short)}},
		"another curve":  {{Domain: "example.com", Selector: "s", PEM: secret(t, curve)}},
		"no domain":      {{Selector: "s", PEM: good}},
		"domain":         {{Domain: "example.com\r\nx", Selector: "s", PEM: good}},
		"selector":       {{Domain: "example.com", Selector: "s;t=1", PEM: good}},
		"twice the same": {{Domain: "example.com", Selector: "s", PEM: good}, {Domain: "example.com", Selector: "S", PEM: good}},
		"huge":           {{Domain: "example.com", Selector: "s", PEM: telemetry.Secret(strings.Repeat("x", 1<<20))}},
		"many":           make([]dkim.Key, 65),
	} {
		if _, err := dkim.New(keys...); !errors.Is(err, dkim.ErrKey) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVyMg") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
}

func FuzzSign(f *testing.F) {
	f.Add([]byte(letter))
	f.Add([]byte("From: a@b\r\n\r\n"))
	f.Add([]byte(""))
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	s, err := dkim.New(dkim.Key{
		Domain: "example.com", Selector: "s", PEM: telemetry.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, mail []byte) {
		signed, err := s.Sign("example.com", mail)
		if err == nil && !bytes.HasSuffix(signed, mail) {
			t.Error("the mail was changed")
		}
	})
}
