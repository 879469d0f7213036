// Package inbox keeps people's inboxes: what they were told, and what they did with it.
//
// Of each person it keeps two things. The items, one message each in the stream INBOX,
// of which the oldest go when there are too many; and one State in the stream
// INBOXSTATE: two watermarks, up to where everything was seen and was read, and the few
// exceptions to them. Unread is never counted up and down. Fold derives it from items,
// state and the time, in a pure function, so it cannot drift; marking all as read moves
// one watermark; and as the items are bounded, so are the exceptions.
//
// Both streams are sources of the event log (package stream), so each item and each
// state is also an event of the person's own topic, with the type TypeItem or TypeState
// and the same JSON. Every tab and every device reads the inbox once (FilterAll), follows
// that topic from where the log ended before the reading, and folds for itself: it keeps
// items by N, of which only the newest Limits.PerUser that have not expired, and the
// state with the highest Rev. Both streams reach the log each in its order, but a state
// may overtake an item, and after a failure an event may come a second time.
//
// # Numbers
//
// An item's N orders the items of a person, and a state's Rev the states. Both are the
// microseconds of the clock or one more than the last, whichever is more: they grow even
// where the last one is gone by age, and stay below 2^53 for JavaScript.
//
// # What goes away
//
// An item goes by number (Limits.PerUser), by age, and by the size of all. One that
// expires goes at that time, unless it has a collapse key: it still replaces its
// elders. A state goes by the same age, when every item that it speaks of is gone before.
// In the event log all of it stays for as long as events do, also after Erase.
//
// # Source and log
//
// NATS remembers how far the log has read a source. Servers before 2.15 know it from the
// last message only that the log has of the source: when there is none left, they would
// begin anew and play all inboxes into the log. Hence Store.Run stores a tick now and
// then, a message for nobody, so that the log always holds a recent one.
//
// # Concurrency
//
// A Store is safe for concurrent use, by many processes too: everything is stored under
// the condition that nothing was stored meanwhile, and else tried again; within a process they take turns. Store.Read asks
// both streams at once, with one goroutine that it waits for; Store.Run works in the
// goroutine that calls it. Everything else is values.
package inbox
