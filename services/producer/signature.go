package producer

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tidings/shared/telemetry"
)

// Headers that carry a proof.
const (
	headerGitHubSignature = "X-Hub-Signature-256"
	headerSignature       = "X-Tidings-Signature"
)

const (
	// signatureAge is how far a signature's time may be from now, either way. It
	// covers clocks that differ and a retry, and ends what can be replayed.
	signatureAge = 5 * time.Minute
	// maxSignatures bounds the v1 parts of one header: two while a secret is being
	// changed, some to spare.
	maxSignatures = 4
)

// gitHubSigned checks "sha256=<hex>" over the body.
func gitHubSigned(header http.Header, body []byte, secret telemetry.Secret) bool {
	digits, ok := strings.CutPrefix(header.Get(headerGitHubSignature), "sha256=")
	return ok && macMatches(digits, secret, body)
}

// hmacSigned checks "t=<unix seconds>,v1=<hex>" over "<t>.<body>". The time is
// signed along, so an old request can't be made young. One right v1 is enough.
func hmacSigned(header http.Header, body []byte, secret telemetry.Secret, now time.Time) bool {
	var stamp string
	var macs []string
	for part := range strings.SplitSeq(header.Get(headerSignature), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == "t" && stamp == "":
			stamp = value
		case name == "v1" && len(macs) < maxSignatures:
			macs = append(macs, value)
		default: // twice, too many or unknown: nothing we would have been sent
			return false
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return false
	}
	// Compared in seconds: a duration cannot hold the distance of a hostile stamp.
	limit := int64(signatureAge / time.Second)
	if at := now.Unix(); seconds < at-limit || seconds > at+limit {
		return false
	}
	for _, digits := range macs {
		if macMatches(digits, secret, []byte(stamp), []byte("."), body) {
			return true
		}
	}
	return false
}

// macMatches compares a hex HMAC-SHA256 with that of the parts, in constant time.
func macMatches(digits string, secret telemetry.Secret, parts ...[]byte) bool {
	sent, err := hex.DecodeString(digits)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	for _, part := range parts {
		mac.Write(part)
	}
	return hmac.Equal(sent, mac.Sum(nil))
}

// bearerMatches compares a bearer token with the secret in constant time. Hashing
// both first hides the length too.
func bearerMatches(header http.Header, secret telemetry.Secret) bool {
	scheme, token, ok := strings.Cut(header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	sent, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(secret.Reveal()))
	return subtle.ConstantTimeCompare(sent[:], want[:]) == 1
}
