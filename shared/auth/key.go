package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
)

// Bounds of the keys.
const (
	// MinSecretBytes is the shortest HS256 secret: that of the hash (RFC 7518 §3.2).
	// A shorter one can be found by trying, offline, from a single token.
	MinSecretBytes = 32
	// minRSABits is the smallest RSA modulus (RFC 7518 §3.3).
	minRSABits = 2048
	// maxRSABits is the largest. Beyond it one signature costs a millisecond, and
	// anyone can send us signatures to check.
	maxRSABits = 8192
	// maxKeys is the most keys of one file or URL. All keys of an algorithm are
	// tried on a token that names none, so this bounds the work of a bad token.
	maxKeys = 64
	// maxKeyID is the longest kid in bytes.
	maxKeyID = 256
	// maxKeySet is the largest key file or JWKS answer in bytes. Real ones, with
	// certificates, are under 20 KiB.
	maxKeySet = 256 << 10
)

// The algorithms. Each is pinned to one type of key.
const (
	algHS256 = "HS256"
	algRS256 = "RS256"
	algES256 = "ES256"
	algEdDSA = "EdDSA"
)

// errForeign marks a sound key that is not for verifying our tokens: another
// curve, another algorithm, an encryption key. Issuers' sets often hold some.
var errForeign = errors.New("not a key for HS256, RS256, ES256 or EdDSA")

// key is one verification key. Its algorithm never depends on a token.
type key struct {
	id  string // The kid; "" fits tokens of any kid.
	alg string
	// material is a []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
	material any
}

// newKey checks material and pins its algorithm. alg is the "alg" of a JWK or "".
func newKey(id, alg string, material any) (key, error) {
	k := key{id: id, material: material}
	switch m := material.(type) {
	case []byte:
		if len(m) < MinSecretBytes {
			return key{}, fmt.Errorf("the HS256 secret has %d bytes and needs at least %d: make one with \"openssl rand -hex 32\"", len(m), MinSecretBytes)
		}
		k.alg = algHS256
	case *rsa.PublicKey:
		if bits := m.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return key{}, fmt.Errorf("the RSA key has %d bits and needs %d to %d: make one with \"openssl genrsa 3072\"", bits, minRSABits, maxRSABits)
		}
		k.alg = algRS256
	case *ecdsa.PublicKey:
		if m.Curve != elliptic.P256() {
			return key{}, fmt.Errorf("%w: its curve is not P-256", errForeign)
		}
		k.alg = algES256
	case ed25519.PublicKey:
		k.alg = algEdDSA
	default:
		return key{}, fmt.Errorf("%w: its type is unknown", errForeign)
	}
	if alg != "" && alg != k.alg {
		return key{}, fmt.Errorf("%w: its alg is %q", errForeign, clip(alg))
	}
	return k, nil
}

// keyring is a set of keys. It is never changed once made.
type keyring []key

// lookup is what a keyring answers for a token's header.
type lookup struct {
	alg string
	// keys are the materials to try.
	keys []any
	// named says that one of them has the very kid the token names; then no other
	// set of keys can do better.
	named bool
}

// lookup returns the keys that may have signed a token with this alg and kid.
func (r keyring) lookup(alg, kid string) lookup {
	l := lookup{alg: alg}
	for _, k := range r {
		if k.alg != alg || k.id != "" && kid != "" && k.id != kid {
			continue
		}
		l.keys = append(l.keys, k.material)
		l.named = l.named || kid != "" && k.id == kid
	}
	return l
}

// clip shortens foreign text before it is quoted in an error.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
