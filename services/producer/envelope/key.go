package envelope

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// maxKey bounds a key in bytes. The log remembers every key of its duplicate window in
// memory, so a longer one is kept as its hash.
const maxKey = 128

// The kinds of key can never be equal: a topic begins with a letter and ends at
// the first space, and the two marks below are no topics. So nobody can use up
// another's key without the right to publish where the other publishes.

// eventKey is the key of an event with an id: the id is its sender's, unique
// within the topic. An event without id has no key.
func eventKey(ev event.Event) string {
	if ev.ID == "" {
		return ""
	}
	return bounded(string(ev.Topic) + " " + ev.ID)
}

// cloudKey is the key of a CloudEvent, whose id is unique within its source only:
// two sources may both count from 1.
func cloudKey(ev event.Event) string {
	return bounded("ce " + string(ev.Topic) + " " + subject.Escape(ev.Source) + " " + ev.ID)
}

// RequestKey is the key of the event at index of a request with Idempotency-Key.
// It holds the user, so that two clients may use the same one.
func RequestKey(user, header string, index int) string {
	return bounded("@ " + subject.Escape(user) + " " + header + " " + strconv.Itoa(index))
}

// bounded returns key, or its hash when it is long or may not survive as a header
// value of the log byte for byte.
func bounded(key string) string {
	if len(key) <= maxKey && graphic(key) && key[len(key)-1] != ' ' {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256 " + hex.EncodeToString(sum[:])
}

// graphic reports whether s holds printable ASCII only, spaces included.
func graphic(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
