package mailbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

const (
	// passTime is how long an address with a pass can be opened. The page asks for
	// another by reading the mail again.
	passTime = 15 * time.Minute
	// maxPass bounds a pass in bytes.
	maxPass = 128
)

// pass makes and checks passes: what lets a frame, an image or a download read one
// mail, since none of them can send a token. A pass is good for one mail and a quarter
// of an hour, and only in the process that made it.
type pass struct{ key [sha256.Size]byte }

// newPass makes a key.
func newPass() pass {
	var p pass
	_, _ = rand.Read(p.key[:]) // it never fails: it crashes the program first
	return p
}

// of returns a pass for a mail.
func (p pass) of(id int64, now time.Time) string {
	end := now.Add(passTime).Unix()
	return strconv.FormatInt(end, 36) + "-" + hex.EncodeToString(p.sign(id, end))
}

// good says whether a pass is one for this mail and still good.
func (p pass) good(s string, id int64, now time.Time) bool {
	if len(s) > maxPass {
		return false
	}
	until, signature, _ := strings.Cut(s, "-")
	end, err := strconv.ParseInt(until, 36, 64)
	if err != nil || now.Unix() > end {
		return false
	}
	given, err := hex.DecodeString(signature)
	return err == nil && hmac.Equal(given, p.sign(id, end))
}

// sign is the proof that a pass is ours.
func (p pass) sign(id, end int64) []byte {
	h := hmac.New(sha256.New, p.key[:])
	h.Write([]byte(strconv.FormatInt(id, 10) + " " + strconv.FormatInt(end, 10)))
	return h.Sum(nil)
}
