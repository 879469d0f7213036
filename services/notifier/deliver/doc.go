// Package deliver turns accepted notifications into deliveries: it finds out who is
// meant, asks package route what becomes of it for each of them, and does that.
//
// A notification that was accepted is in the ledger. Begin makes jobs of the channel
// "route" out of it, each for some of its recipients, and a Deliverer is the Sender of
// that channel, so that the one loop of shared/worker has the retries, the receipts and
// the dead letters. A small notification is in its job as well, which saves a question.
// A job is done in three steps:
//
//  1. Decide: what is known of the people is read, Route is asked, and what it answers
//     is stored in the ledger, once. A job that is tried again finds its decisions
//     there, whatever people have changed meanwhile.
//  2. Carry out: an item of an inbox, a job of another channel, an entry in the plan or
//     in a digest. Each has a name that is made of the notification, the channel and
//     the user, and whoever stores it knows the name again: to do it twice is to do it
//     once.
//  3. Return, and the worker notes that it is done.
//
// What waits, for quiet hours, a digest or a time the sender named, is an entry of the
// plan. When it is due, Fire makes a job of it again, which asks about that one channel
// anew.
//
// # Concurrency
//
// A Deliverer is safe for concurrent use. It keeps a few notifications it has read
// lately, and runs some people of a job at a time, each in a goroutine it waits for.
package deliver
