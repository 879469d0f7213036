package unsubscribe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"tidings/shared/suppress"
	"tidings/shared/telemetry"
)

const (
	// MaxToken is the longest token in bytes. Some servers and file systems that a link
	// passes on its way cut longer names.
	MaxToken = 255
	// version is the first byte of a token; another one means another layout.
	version = 1
	// macBytes is how much of the HMAC a token shows: 128 bits.
	macBytes = 16
	// purpose goes into every HMAC, so that a key that signs other things too signs no
	// token by accident.
	purpose = "tidings.unsubscribe.1\n"
	// fixedBytes is what a token needs beside channel, category and user: the version,
	// their three lengths, the hash and the HMAC.
	fixedBytes = 1 + 3 + sha256.Size + macBytes
	// textBytes is what is left for those three.
	textBytes = MaxToken*3/4 - fixedBytes
)

// ErrTooLong says that a category is too long for a token.
var ErrTooLong = errors.New("the category does not fit into a link")

// grant is what a token says.
type grant struct {
	user, category, channel string
	hash                    string // of the address, see suppress.Hash
}

// seal writes g as a token signed with key. A user that does not fit is left out: the
// address is what counts.
func seal(g grant, key telemetry.Secret) (string, error) {
	left := textBytes - len(g.channel) - len(g.category)
	if left < 0 {
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(g.category), textBytes-len(g.channel))
	}
	if len(g.user) > left {
		g.user = ""
	}
	sum, err := hex.DecodeString(g.hash)
	if err != nil {
		return "", fmt.Errorf("hash of an address: %w", err)
	}
	raw := []byte{version}
	for _, s := range []string{g.channel, g.category, g.user} {
		raw = append(raw, byte(len(s)))
		raw = append(raw, s...)
	}
	raw = append(raw, sum...)
	raw = append(raw, mac(raw, key)...)
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// open reads a token that one of the keys has signed.
func open(token string, keys []telemetry.Secret) (grant, bool) {
	if len(token) > MaxToken {
		return grant{}, false
	}
	// Strict: else the last character could be another one, and a link have two forms.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < fixedBytes || raw[0] != version {
		return grant{}, false
	}
	body, sent := raw[:len(raw)-macBytes], raw[len(raw)-macBytes:]
	signed := false
	for _, key := range keys {
		signed = hmac.Equal(sent, mac(body, key)) || signed
	}
	if !signed {
		return grant{}, false
	}
	var g grant
	rest := body[1:]
	for _, s := range []*string{&g.channel, &g.category, &g.user} {
		if len(rest) == 0 || len(rest)-1 < int(rest[0]) {
			return grant{}, false
		}
		*s, rest = string(rest[1:1+rest[0]]), rest[1+rest[0]:]
	}
	g.hash = hex.EncodeToString(rest)
	return g, len(rest) == sha256.Size
}

func mac(body []byte, key telemetry.Secret) []byte {
	h := hmac.New(sha256.New, []byte(key.Reveal()))
	h.Write([]byte(purpose))
	h.Write(body)
	return h.Sum(nil)[:macBytes]
}

// URL returns the link for a mail of a category to a person's address. The category may
// be "", which leaves the choice between everything and nothing. A long user is left
// out of the link, and then of the Choice. Errors wrap ErrTooLong or
// suppress.ErrAddress.
func (s *Service) URL(user, category, address string) (string, error) {
	hash, err := suppress.Hash(suppress.ChannelMail, address)
	if err != nil {
		return "", fmt.Errorf("unsubscribe link: %w", err)
	}
	token, err := seal(grant{user: user, category: category, channel: suppress.ChannelMail, hash: hash}, s.keys[0])
	if err != nil {
		return "", fmt.Errorf("unsubscribe link: %w", err)
	}
	return s.base + token, nil
}
