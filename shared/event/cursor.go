package event

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxEpoch is the longest epoch in bytes.
const MaxEpoch = 32

// ErrCursor says that a string is not a cursor; returned errors wrap it.
var ErrCursor = errors.New("bad cursor")

// Cursor is a position in the log: everything up to and including Seq has been
// seen. Its text form, "<epoch>-<seq>", is the id of a Server-Sent Event.
type Cursor struct {
	// Epoch names one incarnation of the log: 1 to MaxEpoch letters and digits,
	// made at random with the stream. Positions of different epochs don't compare.
	Epoch string
	// Seq is the stream sequence of the last event seen; 0 stands before the first.
	Seq uint64
}

// String returns "<epoch>-<seq>", or "" for the zero Cursor.
func (c Cursor) String() string {
	if c.Epoch == "" {
		return ""
	}
	return string(c.Append(nil))
}

// Append appends the text form to dst.
func (c Cursor) Append(dst []byte) []byte {
	dst = append(dst, c.Epoch...)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, c.Seq, 10)
}

// ParseCursor is the inverse of String. It accepts the canonical form only: no
// sign, no leading zeros, no surrounding space.
func ParseCursor(s string) (Cursor, error) {
	epoch, digits, ok := strings.Cut(s, "-")
	if !ok || !validEpoch(epoch) {
		return Cursor{}, fmt.Errorf("%w: want <epoch>-<sequence>", ErrCursor)
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || len(digits) > 1 && digits[0] == '0' || digits[0] == '+' {
		return Cursor{}, fmt.Errorf("%w: the part after '-' is not a sequence number", ErrCursor)
	}
	return Cursor{Epoch: epoch, Seq: seq}, nil
}

func validEpoch(s string) bool {
	if s == "" || len(s) > MaxEpoch {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
