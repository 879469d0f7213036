// Package planner makes things happen at their time, whatever is restarted meanwhile: a
// notification for later, one that quiet hours held, a digest whose window ends.
//
// A plan is an entry in the stream SCHEDULE, one per key, and planning a key again
// replaces it: that is all a debounce takes. Every instance of the notifier follows the
// stream, of which it keeps no more than the time and the sequence of each entry, so
// hundred thousands cost a few megabytes. When an entry is due its message is read; if it
// is gone it was replaced, canceled or somebody else was faster. Otherwise it is fired,
// and removed afterwards under the condition that it still is the same. So what is due
// while nobody runs is fired at the next start, and a process that dies while firing
// leaves the entry behind: everything is fired at least once, and firing must be
// idempotent.
//
// # Who fires
//
// Instances do not agree on who fires; they are polite. One that lost a race waits some
// tenths of a second before each further entry and so finds most of them gone, until it
// has fired a few in a row, which means that nobody else does. There is no lease to keep
// and none to wait for when an instance dies, and one that is overloaded gets help.
// At worst an entry is fired twice, which is counted.
//
// # Digests
//
// The stream also keeps what digests collect until they are sent: items by digest and
// key. Collect and Collected know nothing of the plan to send it.
//
// # Concurrency
//
// A Planner is safe for concurrent use; Run is called once. Run owns the list of entries
// in one goroutine, which starts one for each entry being fired, at most
// Config.Concurrency, and one that reads the stream; it waits for all of them. Entries
// are begun in the order in which they are due, as far as they are known, and may end in
// any; one that failed is repeated after a pause and holds nothing up. What is planned
// while its time has passed is fired at once.
package planner
