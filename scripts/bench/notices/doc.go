// Package notices is the bench's side of notifications: it sends them, takes the mails
// they become, and keeps book of both.
//
// A Client imports people and posts notifications, numbered from 0 and each to the next
// of the people. The number is in the id, the title and thereby in the mail's subject, so
// that a Sink, an SMTP server that takes everything, can tell which mails came, how long
// they took, and whether one came twice or to somebody else. Books hold what is known.
//
// Stored and Inboxes look at what NATS has of it, and a Floor is what as many acknowledged
// messages, and as many mails to such a sink, cost without anybody who decides anything.
// A Result is all that together.
//
// # Concurrency
//
// Books and Client are safe for concurrent use. A Sink has a goroutine that accepts, and
// one for each connection; Close ends them and waits for the first. What the functions
// start ends before they return.
package notices
