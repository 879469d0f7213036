package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"
)

// errPrivate says that a key set gives away what it should not. The file of a
// verifier is copied to every server; one that can sign must not be.
var errPrivate = errors.New("it is a private key and only public ones belong here: extract it with \"openssl pkey -in private.pem -pubout\"")

// readKeyFile reads public keys from a PEM or JWKS file. skipped describes keys of
// a JWKS that are sound but foreign; everything else that is wrong is an error.
func readKeyFile(name string) (keys keyring, skipped []string, err error) {
	f, err := os.Open(name) // The operator names the file.
	if err != nil {
		return nil, nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeySet+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read key file: %w", err)
	}
	if len(data) > maxKeySet {
		return nil, nil, fmt.Errorf("key file %s: it is larger than %d bytes", name, maxKeySet)
	}
	if keys, skipped, err = parseKeys(data); err != nil {
		return nil, nil, fmt.Errorf("key file %s: %w", name, err)
	}
	return keys, skipped, nil
}

// parseKeys tells PEM from JWKS and parses it.
func parseKeys(data []byte) (keyring, []string, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseKeySetFile(data)
	}
	keys, err := parsePEM(data)
	return keys, nil, err
}

// parsePEM parses public keys and certificates. pem.Decode skips what it cannot
// read, which would lose keys silently, so the blocks are counted as well.
func parsePEM(data []byte) (keyring, error) {
	begun := bytes.Count(data, []byte("-----BEGIN "))
	if begun == 0 {
		return nil, errors.New("it holds neither PEM blocks nor a JSON Web Key Set")
	}
	if begun > maxKeys {
		return nil, fmt.Errorf("it holds more than %d keys", maxKeys)
	}
	var keys keyring
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		k, err := keyFromPEM(block)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(keys)+1, err)
		}
		keys = append(keys, k)
	}
	if len(keys) != begun {
		return nil, fmt.Errorf("only %d of its %d PEM blocks can be decoded", len(keys), begun)
	}
	return keys, nil
}

func keyFromPEM(block *pem.Block) (key, error) {
	var material any
	var err error
	switch {
	case strings.Contains(block.Type, "PRIVATE"):
		return key{}, errPrivate
	case block.Type == "PUBLIC KEY":
		material, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		material, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			material = c.PublicKey
		}
	default:
		return key{}, fmt.Errorf("a %q is neither a public key nor a certificate", clip(block.Type))
	}
	if err != nil {
		return key{}, fmt.Errorf("parse %s: %w", strings.ToLower(block.Type), err)
	}
	return newKey("", "", material)
}

// parseKeySetFile parses a JWKS, or a single JWK, that the operator wrote. Shared
// secrets are allowed in it.
func parseKeySetFile(data []byte) (keyring, []string, error) {
	if m, err := members(data); err == nil && m["keys"] == nil && m["kty"] != nil {
		data = slices.Concat([]byte(`{"keys":[`), data, []byte(`]}`))
	}
	list, err := splitKeySet(data)
	if err != nil {
		return nil, nil, err
	}
	var keys keyring
	var skipped []string
	for i, raw := range list {
		k, err := keyFromJWK(raw, true)
		switch {
		case errors.Is(err, errForeign):
			skipped = append(skipped, fmt.Sprintf("key %d: %v", i+1, err))
		case err != nil:
			return nil, nil, fmt.Errorf("key %d: %w", i+1, err)
		default:
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("it holds no usable key: %s", strings.Join(skipped, "; "))
	}
	return keys, skipped, nil
}

// parseKeySetURL parses a JWKS that came over the network. One bad key must not
// cost the others, so whatever cannot be used is skipped.
func parseKeySetURL(data []byte) (keys keyring, skipped []string, err error) {
	list, err := splitKeySet(data)
	if err != nil {
		return nil, nil, err
	}
	for i, raw := range list {
		k, err := keyFromJWK(raw, false)
		if err != nil {
			skipped = append(skipped, fmt.Sprintf("key %d: %v", i+1, err))
			continue
		}
		keys = append(keys, k)
	}
	return keys, skipped, nil
}

func splitKeySet(data []byte) ([]json.RawMessage, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil || set.Keys == nil {
		return nil, errors.New("it is not a JSON Web Key Set, an object with a list \"keys\"")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it holds %d keys and at most %d are allowed", len(set.Keys), maxKeys)
	}
	return set.Keys, nil
}

// keyFromJWK parses one JWK. shared allows a symmetric key; over the network it
// never is, because whoever can read the URL could sign with it. Errors do not
// quote members, which may be secret.
func keyFromJWK(raw json.RawMessage, shared bool) (key, error) {
	var m jwkset.JWKMarshal
	if json.Unmarshal(raw, &m) != nil {
		return key{}, errors.New("it is not a JSON Web Key")
	}
	symmetric := m.KTY == jwkset.KtyOct
	switch {
	case len(m.KID) > maxKeyID:
		return key{}, fmt.Errorf("its kid is longer than %d bytes", maxKeyID)
	case m.USE != "" && m.USE != jwkset.UseSig:
		return key{}, fmt.Errorf("%w: its use is %q", errForeign, clip(string(m.USE)))
	case len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify):
		return key{}, fmt.Errorf("%w: its key_ops do not contain \"verify\"", errForeign)
	case symmetric && !shared:
		return key{}, errors.New("it is a shared secret, which is never accepted from a URL")
	case !symmetric && (m.D != "" || m.P != "" || m.Q != "" || m.K != "" || m.OTH != nil):
		return key{}, errPrivate
	}
	// The key is what is trusted; certificates around it prove nothing here.
	m.X5C, m.X5U, m.X5T, m.X5TS256 = nil, "", "", ""
	j, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{Private: symmetric},
		jwkset.JWKValidateOptions{SkipKeyOps: true, SkipUse: true})
	if errors.Is(err, jwkset.ErrUnsupportedKey) {
		return key{}, fmt.Errorf("%w: its kty is %q and its crv %q", errForeign, clip(string(m.KTY)), clip(string(m.CRV)))
	}
	if err != nil {
		return key{}, fmt.Errorf("parse JWK: %w", err)
	}
	return newKey(m.KID, string(m.ALG), j.Key())
}
