// Package direct reads messages of a stream where they lie, with NATS's direct API: one
// message, or a page of those that a subject selects, each with one question and without
// a consumer. Any replica may answer, so what was stored a moment ago may be missing.
// Where that would be taken for gone, AtLeader and LastAtLeader ask the one that knows.
//
// It starts no goroutines, and its functions are safe for concurrent use.
package direct
