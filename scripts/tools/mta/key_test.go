package mta_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// key signs the mails of a process.
type key struct {
	algorithm string // as a signature names it
	setting   string // for TIDINGS_DKIM
	// zone is what DNS says: TXT records by name.
	zone map[string][]string
}

// newKey makes a key, in a file and in DNS. The record is written after RFC 6376 and 8463
// and not after what the product would print.
func newKey(t *testing.T, algorithm string) *key {
	t.Helper()
	const selector = "s2026"
	var private crypto.Signer
	var kind string
	var public []byte
	var err error
	switch algorithm {
	case "rsa-sha256":
		var k *rsa.PrivateKey
		if k, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
		kind, private = "rsa", k
		if public, err = x509.MarshalPKIXPublicKey(k.Public()); err != nil {
			t.Fatal(err)
		}
	case "ed25519-sha256":
		var k ed25519.PrivateKey
		if public, k, err = ed25519.GenerateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
		kind, private = "ed25519", k
	default:
		t.Fatalf("there is no algorithm %s", algorithm)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dkim.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &key{
		algorithm: algorithm, setting: senderDomain + "=" + selector + ":" + file,
		zone: map[string][]string{
			selector + "._domainkey." + senderDomain: {"v=DKIM1; k=" + kind + "; p=" + base64.StdEncoding.EncodeToString(public)},
			"_dmarc." + senderDomain:                 {"v=DMARC1; p=reject; adkim=s; aspf=s"},
		},
	}
}
