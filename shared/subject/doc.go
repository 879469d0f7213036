// Package subject knows Tidings' names: topics, the patterns that select them,
// and the NATS subjects they travel on.
//
// A topic is what people talk about: "user.<id>" (one person), "room.<a>.<b>…"
// (anything shared) and "all" (everyone). It is made of NATS tokens, so a topic
// is also the tail of a NATS subject: the event subject of "room.ops" is
// "tidings.ev.room.ops" and its ephemeral subject "tidings.eph.room.ops".
//
// A token carries bytes outside [A-Za-z0-9_-] as =HH (upper-case hex), so any
// string can be an id: user "ann@example.com" is the topic
// "user.ann=40example=2Ecom". The escape is canonical: every string has exactly
// one escaped form and ParseTopic refuses the others, so that two spellings of
// one topic can never hold two grants or two histories.
//
// A pattern is a topic in which tokens may be the NATS wildcards "*" (one token)
// and, at the end, ">" (one token or more).
//
// The package uses the standard library only and its values are immutable, so
// everything in it is safe for concurrent use.
package subject
