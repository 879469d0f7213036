package subject

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of a name. NATS itself is comfortable far above both; these keep a
// topic usable as a metric, a log field and an index key.
const (
	// MaxLen is the longest topic or pattern in bytes, escapes included.
	MaxLen = 255
	// MaxTokens is the largest number of dot-separated tokens.
	MaxTokens = 16
)

// Errors of the parsers; every returned error wraps one of them.
var (
	// ErrSyntax says that a name is not made of canonical tokens.
	ErrSyntax = errors.New("bad syntax")
	// ErrRoot says that a name does not begin with user, room or all.
	ErrRoot = errors.New("unknown kind of topic")
	// ErrTooLong says that a name is over MaxLen or MaxTokens.
	ErrTooLong = errors.New("name too long")
)

// Topic is a parsed topic in its escaped form, such as "room.ops". Obtain one
// from ParseTopic, User or Room; converting an unchecked string is a bug.
type Topic string

// All is the topic everyone may read.
const All Topic = "all"

// User returns the topic of one person. id is the plain user id, any string but "".
func User(id string) Topic { return Topic("user." + Escape(id)) }

// Room returns the topic of a room named by plain, unescaped parts.
func Room(parts ...string) Topic {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = Escape(p)
	}
	return Topic("room." + strings.Join(escaped, "."))
}

// ParseTopic checks an escaped topic without wildcards.
func ParseTopic(s string) (Topic, error) {
	if err := check(s, false); err != nil {
		return "", fmt.Errorf("topic %q: %w", clip(s), err)
	}
	return Topic(s), nil
}

// check walks the tokens of a topic (or, if wild, of a pattern).
func check(s string, wild bool) error {
	if len(s) > MaxLen {
		return fmt.Errorf("%w: over %d bytes", ErrTooLong, MaxLen)
	}
	n := strings.Count(s, ".") + 1
	if n > MaxTokens {
		return fmt.Errorf("%w: over %d tokens", ErrTooLong, MaxTokens)
	}
	root, rest, more := strings.Cut(s, ".")
	if err := checkRoot(root, n, wild); err != nil {
		return err
	}
	for more {
		var token string
		token, rest, more = strings.Cut(rest, ".")
		if wild && (token == "*" || token == ">" && !more) {
			continue
		}
		if err := checkToken(token); err != nil {
			return err
		}
	}
	return nil
}

// checkRoot checks the first token and how many tokens may follow it.
func checkRoot(root string, tokens int, wild bool) error {
	switch {
	case root == "all" && tokens == 1, root == "user" && tokens == 2, root == "room" && tokens >= 2:
		return nil
	case wild && (root == ">" && tokens == 1 || root == "*"):
		return nil
	case root == "all":
		return fmt.Errorf("%w: \"all\" stands alone", ErrSyntax)
	case root == "user":
		return fmt.Errorf("%w: \"user\" takes exactly one id", ErrSyntax)
	case root == "room":
		return fmt.Errorf("%w: \"room\" needs a name", ErrSyntax)
	}
	return fmt.Errorf("%w %q: use user.<id>, room.<name> or all", ErrRoot, clip(root))
}

// clip shortens hostile input before it is quoted in an error.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
