// Package mailbox catches all mail in development: an SMTP server in this process that
// takes whatever is sent, delivers it to nobody, and keeps the last of it in memory to
// be looked at.
//
// What it shows was really sent: the mailer speaks SMTP to it over a socket, as it will
// to a relay, with its pipelining, its DKIM signature and its errors. So it can also
// fail on purpose. An operator arms a fault, "the next two recipients are unknown", and
// watches what the rest of Tidings makes of it: retries, bounces, and the worst of
// all, a connection that ends after the mail was taken and before anybody said so.
// Attempts that failed are listed like mails, with what they were told.
//
// A mail comes in through the gate (connections, bounded in number and time), a session
// (the conversation, and the faults in it), and the box (the mails that are kept, bounded
// in number and bytes). Package letter reads what is in it, when it arrives for the list
// and again when somebody looks. The API is for operators alone.
//
// Anybody may send mail to it: every user and password is good. It listens on loopback
// unless told otherwise, and belongs in no production.
//
// # Concurrency
//
// A Mailbox is safe for concurrent use. Nothing runs before Run, which owns the
// goroutine that accepts, one for each connection, and one that publishes, and waits
// for all of them. A client that sends in chunks (BDAT) has a second goroutine, which
// ends with its connection. Mails are published in the order of their ids; publishing
// is never waited for, and when too many wait, the new ones are not published, but kept.
package mailbox
