package suppress

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	// ChannelMail is the channel whose addresses are e-mail addresses. Those of all
	// other channels are taken as they are.
	ChannelMail = "mail"
	// MaxAddress is the longest address in bytes: the endpoint of a web push is a URL.
	MaxAddress = 2048
	// maxChannel is the longest name of a channel in bytes, as in jobs.
	maxChannel = 64
)

// ErrAddress says that there can be no such channel or address.
var ErrAddress = errors.New("invalid address")

// Hash returns what stands for an address everywhere: the SHA-256 of its normalised
// form, in hex. Two spellings of an e-mail address that reach the same mailbox
// practically everywhere, which differ in case or in how the domain is written, have
// one hash. Errors wrap ErrAddress.
func Hash(channel, address string) (string, error) {
	if !isChannel(channel) {
		return "", fmt.Errorf("%w: a channel is 1 to %d letters, digits, '-' and '_'", ErrAddress, maxChannel)
	}
	if channel == ChannelMail {
		address = normal(address)
	}
	if address == "" || len(address) > MaxAddress {
		return "", fmt.Errorf("%w: an address has 1 to %d bytes", ErrAddress, MaxAddress)
	}
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:]), nil
}

// normal returns the one spelling of an e-mail address. The local part may differ in
// case by the letter of RFC 5321; no provider of any size lets it, and to write to
// Ann@ because only ann@ complained would be wrong.
func normal(address string) string {
	if len(address) > MaxAddress {
		return address // refused by its length; not worth the work
	}
	address = strings.ToLower(norm.NFC.String(strings.TrimSpace(address)))
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	// Returned mail has the domain in ASCII where the sender had it in letters. What no
	// rule knows, such as an underscore, stays as it is.
	if ascii, err := idna.Lookup.ToASCII(address[at+1:]); err == nil {
		return address[:at+1] + ascii
	}
	return address
}

// keyOf returns the key of a hashed address in the buckets.
func keyOf(channel, hash string) (string, error) {
	if !isChannel(channel) || !isHash(hash) {
		return "", fmt.Errorf("%w: not a channel and the SHA-256 of an address", ErrAddress)
	}
	return channel + "." + hash, nil
}

// isChannel reports whether s can name a channel; it is a token of a key.
func isChannel(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxChannel
}

// isHash reports whether s is what Hash returns.
func isHash(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}
