// Package people keeps who can be notified: how each person is reached, which rooms they
// are a known member of, and what they prefer. It is two buckets of NATS, which
// `nats kv ls` shows as any others: "<prefix>_people" with a record per person and a
// marker per membership, and "<prefix>_prefs" with the preferences and their last five
// states.
//
// A record names the person's rooms, and the markers turn that around, so that a room
// can be asked for its members without reading everybody. The record decides. Markers
// are added before the record is written and taken away afterwards, so that a process
// that dies in between leaves a marker too many and never one too few; Members asks the
// records, and one too many is not seen. Every change is bound to the state it was made
// from, and done again from the new one if somebody else was faster.
//
// What is erased leaves nothing behind, not even the mark of a deletion, whose key would
// still name the person.
//
// Of and Preferences ask the leader of the bucket, and see every change that was made
// before. Many, ManyPreferences, Members and List ask any replica: a thousand people cost
// four questions, and what was written a moment ago may be missing. A bucket that somebody
// deleted is made again by the next call.
//
// What comes from outside is parsed here too, by ParseRecord and ParseRecords.
//
// # Concurrency
//
// People is safe for concurrent use. It runs nothing of its own; Put, Import and Erase
// make some requests at the same time, in goroutines that they wait for.
package people
