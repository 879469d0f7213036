// Package ledger keeps what is known about notifications beside their deliveries: what
// was asked for, what was decided for whom, and what happened later, such as a bounce.
// Together with the receipts of package worker it is a notification's timeline.
//
// Everything lies in the stream NOTIFICATIONS, in the order it was written. An entry has a
// part, its name among those of the notification, and a subject of its own; each part is
// written once: of two workers that decide the same thing, the second is given what the
// first one wrote. Put does that in one exchange, since NATS checks that it is the first
// of its subject, and takes no longer for a notification with a hundred thousand parts.
//
// The stream also takes plain publishes of notifications, on one subject of their own.
// They wait there until Requests hands them to somebody who turns them into entries.
//
// # Concurrency
//
// A Ledger is safe for concurrent use, and so are entries that are not written to.
// Requests owns some goroutines, each of which handles one message after the other, one
// for each message in hand that tells NATS so, and one that watches the connection; it
// returns after all have ended. Messages are begun in the order they were stored and may
// end in any; one that failed comes again later.
package ledger
