package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"tidings/shared/telemetry"
)

const (
	// minRSA and maxRSA bound an RSA key in bits: receivers ignore shorter ones, and the
	// record of a longer one is too long for many DNS servers.
	minRSA, maxRSA = 2048, 4096
	// maxPEM bounds a key's bytes.
	maxPEM = 16 << 10
)

// ErrKey says that a key can't be used.
var ErrKey = errors.New("invalid DKIM key")

// Key is a private key that signs for a domain.
type Key struct {
	// Domain is who signs, Selector names the key below it: the public key is found in DNS
	// at <selector>._domainkey.<domain>.
	Domain, Selector string
	// PEM is the key: RSA of 2048 to 4096 bits, or Ed25519.
	PEM telemetry.Secret
}

// Record is a TXT record that publishes a key.
type Record struct {
	// Name is where it belongs, Value what it says.
	Name, Value string
}

// parse checks the key and returns it ready to sign.
func (k Key) parse() (crypto.Signer, error) {
	if !isDomain(k.Domain) || !isDomain(k.Selector) {
		return nil, fmt.Errorf("%w: domain and selector must be names as in DNS", ErrKey)
	}
	text := k.PEM.Reveal()
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%w: it is over %d bytes", ErrKey, maxPEM)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("%w: it is no PEM", ErrKey)
	}
	// What is wrong inside is not said: it could quote the key.
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return checkRSA(key)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no private key without a passphrase", ErrKey)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return checkRSA(key)
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("%w: use RSA or Ed25519", ErrKey)
}

func checkRSA(key *rsa.PrivateKey) (crypto.Signer, error) {
	if n := key.N.BitLen(); n < minRSA || n > maxRSA {
		return nil, fmt.Errorf("%w: RSA of %d bits; use %d to %d", ErrKey, n, minRSA, maxRSA)
	}
	return key, nil
}

// record returns what DNS should say about a key.
func record(domain, selector string, public crypto.PublicKey) (Record, error) {
	r := Record{Name: selector + "._domainkey." + domain}
	if key, ok := public.(ed25519.PublicKey); ok {
		r.Value = "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key)
		return r, nil
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Record{}, fmt.Errorf("public key: %w", err)
	}
	r.Value = "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
	return r, nil
}

// isDomain says whether s is a name as in DNS, in its ASCII form.
func isDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
		}) {
			return false
		}
	}
	return true
}
