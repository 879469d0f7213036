package bounce

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tidings/services/mailer/bounce/dsn"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
)

const (
	// TraceHeader is the header by which a returned mail is known again. The mailer sets
	// it to what Seals.Trace returns.
	TraceHeader = dsn.TraceHeader
	// Prefix begins the local part of every return path.
	Prefix = "bounce+"
	// MinSealKey is the shortest key in bytes.
	MinSealKey = 32
	// MaxSealKeys bounds the keys: one that seals, and those of mail that is on its way.
	MaxSealKeys = 16
	// sealLetters is the length of a seal in a return path, of which the first half binds
	// the key and the second the address, with 40 bits each. A local part has 64 bytes
	// at most. Each guess costs a forger a connection to us.
	sealLetters = 16
	sealBytes   = sealLetters / 2 * 5 / 8
	// traceBytes is how much of an HMAC a trace shows: 128 bits.
	traceBytes = 16
	// maxLocal is the longest local part in bytes, RFC 5321.
	maxLocal = 64
	// maxNotification is the longest id of a notification in bytes, as in package worker.
	maxNotification = 128
	// traceVersion is the first word of a trace.
	traceVersion = "v1"
)

// ErrSeal says that a mail can't be sealed as it is.
var ErrSeal = errors.New("no seal for this mail")

// Seals make and know again what proves that a report is about a mail of ours. The
// first key seals and all are known, so keys can be changed while mail is on its way.
type Seals struct {
	domain string
	keys   []telemetry.Secret
}

// NewSeals returns seals for return paths at a domain. Errors tell every fault.
func NewSeals(domain string, keys []telemetry.Secret) (*Seals, error) {
	var faults []error
	domain = strings.ToLower(domain)
	if domain == "" || len(domain) > 190 || strings.ContainsAny(domain, "@<>() \t\r\n") || !strings.Contains(domain, ".") && domain != "localhost" {
		faults = append(faults, errors.New("the domain of bounces must be like bounces.example.com"))
	}
	if len(keys) == 0 || len(keys) > MaxSealKeys {
		faults = append(faults, fmt.Errorf("1 to %d keys are needed", MaxSealKeys))
	}
	for i, key := range keys {
		if len(key.Reveal()) < MinSealKey {
			faults = append(faults, fmt.Errorf("key %d is shorter than %d bytes", i+1, MinSealKey))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("bounce: %w", err)
	}
	return &Seals{domain, slices.Clone(keys)}, nil
}

// Domain is that of the return paths, in small letters.
func (s *Seals) Domain() string { return s.domain }

// ReturnPath returns the envelope sender for the mail of a job to an address. The key
// has 1 to 40 of a–z, 0–9, '-' and '_', since servers change capitals. Errors wrap
// ErrSeal or suppress.ErrAddress; such a mail is sent with an ordinary return path.
func (s *Seals) ReturnPath(key, address string) (string, error) {
	hash, err := suppress.Hash(suppress.ChannelMail, address)
	if err != nil {
		return "", fmt.Errorf("return path: %w", err)
	}
	local := Prefix + key + "." + keySeal(key, s.keys[0]) + addressSeal(key, hash, s.keys[0])
	if !dsn.IsKey(key) || key != strings.ToLower(key) || len(local) > maxLocal {
		return "", fmt.Errorf("return path: %w: the key does not fit", ErrSeal)
	}
	return local + "@" + s.domain, nil
}

// Trace returns the value of TraceHeader for the mail of a job, in words of at most 171
// bytes that may be folded. Errors wrap ErrSeal or suppress.ErrAddress.
func (s *Seals) Trace(key, notification, address string) (string, error) {
	hash, err := suppress.Hash(suppress.ChannelMail, address)
	if err != nil {
		return "", fmt.Errorf("trace: %w", err)
	}
	if !dsn.IsKey(key) || notification == "" || len(notification) > maxNotification {
		return "", fmt.Errorf("trace: %w: bad key or notification", ErrSeal)
	}
	id := base64.RawURLEncoding.EncodeToString([]byte(notification))
	return strings.Join([]string{traceVersion, key, id, hash, traceSeal(key, notification, hash, s.keys[0])}, " "), nil
}

// Known reports whether an address is a return path that we made, as far as can be told
// without knowing the address that the mail went to.
func (s *Seals) Known(address string) bool {
	_, ok := s.open(address)
	return ok
}

// Prove looks for a proof in the evidence. If there is one, it sets Key, Notification
// and AddressHash to what is proven and returns true. A hard bounce of another address
// than ours becomes a soft one: somebody behind our address is gone.
func (s *Seals) Prove(r *Report) bool {
	about := hashes(append([]string{r.Recipient}, r.Evidence.Recipients...))
	if !s.byTrace(r) && !s.byReturnPath(r, append(slices.Clone(about), hashes(r.Evidence.To)...)) {
		return false
	}
	if r.Kind == Hard && !slices.Contains(about, r.AddressHash) {
		r.Kind = Soft
	}
	return true
}

// byTrace proves a report by the original's header.
func (s *Seals) byTrace(r *Report) bool {
	words := strings.Fields(dsn.Cut(r.Evidence.Trace, dsn.MaxText))
	if len(words) != 5 || words[0] != traceVersion || !dsn.IsKey(words[1]) {
		return false
	}
	id, err := base64.RawURLEncoding.DecodeString(words[2])
	if err != nil || len(id) > maxNotification {
		return false
	}
	for _, key := range s.keys {
		if equal(words[4], traceSeal(words[1], string(id), words[3], key)) {
			r.Key, r.Notification, r.AddressHash = words[1], string(id), words[3]
			return true
		}
	}
	return false
}

// byReturnPath proves a report by where it arrived, if one of the addresses is the one
// that the return path is bound to.
func (s *Seals) byReturnPath(r *Report, candidates []string) bool {
	for _, path := range r.Evidence.ReturnPaths[:min(len(r.Evidence.ReturnPaths), dsn.MaxEvidence)] {
		p, ok := s.open(path)
		if !ok {
			continue
		}
		for _, hash := range candidates {
			if equal(p.bound, addressSeal(p.key, hash, p.secret)) {
				r.Key, r.AddressHash = p.key, hash
				return true
			}
		}
	}
	return false
}

// path is a return path that one of our keys has sealed.
type path struct {
	key    string
	bound  string // the half that binds the address
	secret telemetry.Secret
}

// open reads a return path.
func (s *Seals) open(address string) (path, bool) {
	if len(address) > dsn.MaxText {
		return path{}, false
	}
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	rest, ok := strings.CutPrefix(local, Prefix)
	key, seal, dot := strings.Cut(rest, ".")
	if !ok || !dot || domain != s.domain || len(local) > maxLocal || len(seal) != sealLetters || !dsn.IsKey(key) {
		return path{}, false
	}
	for _, secret := range s.keys {
		if equal(seal[:sealLetters/2], keySeal(key, secret)) {
			return path{key, seal[sealLetters/2:], secret}, true
		}
	}
	return path{}, false
}

// hashes are those of the addresses that can be one.
func hashes(list []string) []string {
	var out []string
	for _, a := range list[:min(len(list), dsn.MaxEvidence+1)] {
		if h, err := suppress.Hash(suppress.ChannelMail, a); err == nil && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

func keySeal(key string, secret telemetry.Secret) string {
	return letters(seal(secret, "tidings.bounce.key.1", key))
}

func addressSeal(key, hash string, secret telemetry.Secret) string {
	return letters(seal(secret, "tidings.bounce.address.1", key, hash))
}

func traceSeal(key, notification, hash string, secret telemetry.Secret) string {
	return base64.RawURLEncoding.EncodeToString(seal(secret, "tidings.bounce.trace.1", key, notification, hash)[:traceBytes])
}

// seal is the HMAC of texts with their lengths, so that no two lists read the same.
func seal(secret telemetry.Secret, texts ...string) []byte {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	for _, t := range texts {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(t))))
		h.Write([]byte(t))
	}
	return h.Sum(nil)
}

// letters writes half of a return path's seal in letters that survive a change of case.
func letters(sum []byte) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:sealBytes]))
}

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
