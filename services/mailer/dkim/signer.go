package dkim

import (
	"bytes"
	"crypto"
	"fmt"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// maxKeys bounds the keys: each of a domain's signs each mail.
const maxKeys = 64

// headers are what is signed, those twice that nobody may add another of.
func headers() []string {
	return []string{
		"From", "From", "Subject", "Subject", "To", "To", "Date", "Date", "Message-ID", "Reply-To", "Reply-To",
		"MIME-Version", "Content-Type", "Content-Type", "List-Id",
		"List-Unsubscribe", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Unsubscribe-Post",
	}
}

// Signer signs mails. It is safe for concurrent use. The nil Signer signs none. Make one
// with New.
type Signer struct {
	byDomain map[string][]key
	records  []Record
}

// key is a parsed Key.
type key struct {
	domain, selector string
	signer           crypto.Signer
}

// New returns a signer with some keys, or with none. Errors wrap ErrKey and say which key is
// wrong, and nothing of what is in it.
func New(keys ...Key) (*Signer, error) {
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("%w: there are %d, at most %d", ErrKey, len(keys), maxKeys)
	}
	s := &Signer{byDomain: map[string][]key{}}
	for i, k := range keys {
		domain, selector := strings.ToLower(k.Domain), strings.ToLower(k.Selector)
		signer, err := k.parse()
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		for _, other := range s.byDomain[domain] {
			if other.selector == selector {
				return nil, fmt.Errorf("key %d: %w: %s has two keys with the selector %s", i+1, ErrKey, domain, selector)
			}
		}
		r, err := record(domain, selector, signer.Public())
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		s.byDomain[domain] = append(s.byDomain[domain], key{domain, selector, signer})
		s.records = append(s.records, r)
	}
	return s, nil
}

// Records returns what DNS must say for the signatures to be verified, in the order of
// the keys.
func (s *Signer) Records() []Record {
	if s == nil {
		return nil
	}
	return append([]Record(nil), s.records...)
}

// Sign returns the mail with a signature of each key of the domain put before it. If there
// is none for the domain, nor for one above it, the mail is returned as it is. Lines
// of the mail must end with CRLF.
func (s *Signer) Sign(domain string, mail []byte) ([]byte, error) {
	var signatures bytes.Buffer
	for _, k := range s.keys(domain) {
		signature, err := k.sign(mail)
		if err != nil {
			return nil, fmt.Errorf("sign for %s with %s: %w", k.domain, k.selector, err)
		}
		signatures.WriteString(signature)
	}
	if signatures.Len() == 0 {
		return mail, nil
	}
	return append(signatures.Bytes(), mail...), nil
}

// keys returns those of a domain, or of the nearest one above it that has any.
func (s *Signer) keys(domain string) []key {
	if s == nil {
		return nil
	}
	for name, more := strings.ToLower(domain), true; more; _, name, more = strings.Cut(name, ".") {
		if keys := s.byDomain[name]; len(keys) > 0 {
			return keys
		}
	}
	return nil
}

// sign returns a signature as a header.
func (k key) sign(mail []byte) (string, error) {
	s, err := dkim.NewSigner(&dkim.SignOptions{
		Domain: k.domain, Selector: k.selector, Signer: k.signer, Hash: crypto.SHA256, HeaderKeys: headers(),
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	})
	if err != nil {
		return "", err
	}
	_, err = s.Write(mail)
	if done := s.Close(); err == nil {
		err = done
	}
	if err != nil {
		return "", err
	}
	return s.Signature(), nil
}
