package route

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
)

const (
	// keyBytes is how much of a hash a key shows, 160 bits: no two meet by accident, and
	// it fits the local part of a Message-ID as hex.
	keyBytes = 20
	// topicBytes is how much of a hash a collapse key shows: 24 bytes are the 32
	// characters that RFC 8030 allows a push topic.
	topicBytes = 24
)

// JobKey identifies one delivery for ever: the same notification, channel and user
// give the same key in every release and on every node, so a job that is made twice
// is sent once, with one Message-ID. The recipient is the user and not the address,
// because an address may change between two tries.
func JobKey(notification string, c Channel, user string) string {
	return hash("tidings.job.1", notification, string(c), user)
}

// CollapseKey is the collapse key of a notification as deliveries carry it: it is
// bound to the user and the category, fits the Topic of a web push and says nothing
// of what it was made of. It is empty if key is.
func CollapseKey(user, category, key string) string {
	if key == "" {
		return ""
	}
	s := sum("tidings.collapse.1", user, category, key)
	return base64.RawURLEncoding.EncodeToString(s[:topicBytes])
}

func hash(parts ...string) string {
	s := sum(parts...)
	return hex.EncodeToString(s[:keyBytes])
}

// sum hashes parts with their lengths, so that no two lists of parts look the same.
func sum(parts ...string) [sha256.Size]byte {
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}
