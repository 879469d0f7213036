package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"tidings/shared/telemetry"
)

const (
	// passTime is how long an address with a pass can be opened. The page asks for
	// another by asking for the preview again.
	passTime = 15 * time.Minute
	// maxPass bounds a pass in bytes.
	maxPass = 128
	// passUse sets what is signed here apart from everything else the secret signs.
	passUse = "tidings console: previews"
)

// pass makes and checks passes: what lets a frame read one preview, since it can't send
// a token. Where processes share the secret of tokens, each takes the others' passes:
// the frame may be answered by another node than the page.
type pass struct{ key []byte }

// newPass makes the key.
func newPass(secret telemetry.Secret) pass {
	if secret == "" {
		key := make([]byte, sha256.Size)
		_, _ = rand.Read(key) // it never fails: it crashes the program first
		return pass{key}
	}
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	h.Write([]byte(passUse))
	return pass{h.Sum(nil)}
}

// of returns a pass for what is named so.
func (p pass) of(name string, now time.Time) string {
	end := now.Add(passTime).Unix()
	return strconv.FormatInt(end, 36) + "-" + hex.EncodeToString(p.sign(name, end))
}

// good says whether a pass is one for what is named so, and still good.
func (p pass) good(s, name string, now time.Time) bool {
	if len(s) > maxPass {
		return false
	}
	until, signature, _ := strings.Cut(s, "-")
	end, err := strconv.ParseInt(until, 36, 64)
	if err != nil || now.Unix() > end {
		return false
	}
	given, err := hex.DecodeString(signature)
	return err == nil && hmac.Equal(given, p.sign(name, end))
}

// sign is the proof that a pass is ours.
func (p pass) sign(name string, end int64) []byte {
	h := hmac.New(sha256.New, p.key)
	h.Write([]byte(strconv.FormatInt(end, 10) + " " + name))
	return h.Sum(nil)
}
