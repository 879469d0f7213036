// Package bounce takes in what comes back: mail that could not be delivered, and
// complaints of people who call a mail spam. It stops mail to addresses that don't
// exist and to people who complained, and tells the notification's timeline.
//
// # What comes in
//
// Reports come in three ways, any of which may be switched on. A Maildir, into which
// the mail server of the domain puts what arrives for bounce+…@: its new/ is polled, and
// what was read goes to cur/. An SMTP or LMTP listener that takes mail for sealed bounce
// addresses of one domain only, and relays nothing. And webhooks of mail providers,
// POST /v1/bounces/<name>, each with a signature.
//
// Package dsn reads returned mail: delivery status notifications (RFC 3464), feedback reports
// (RFC 5965), and the mail of old servers that quote the message.
//
// # What is believed
//
// Anybody can write a bounce. So a mail counts only if it shows something that we put
// into the very mail that came back, and that nobody else can make; see Seals. There
// are two such things, because servers return different parts of a mail:
//
//   - the return path, bounce+<key>.<seal>@<domain>, which is bound to the job and to
//     the address it went to, and is where the report arrives;
//   - the header X-Tidings-Trace, which also names the notification and the hash of the
//     address, and comes back with the original's headers.
//
// Either proves to whom the mail went, whatever the report claims. With neither, a
// report is counted and dropped. What a provider signs needs no such proof.
//
// # What is done
//
// Servers say in one code what is wrong, and not all of it is the address's fault:
//
//	hard       5.1.1 5.1.2 5.1.3 5.1.6 5.1.10 5.2.1   it does not exist: suppressed at once
//	soft       5.2.2 (full), 5.4.x, 4.x.x given up, …  may work next time: suppressed after 5 in 7 days
//	refused    x.7.x (policy, spam), 5.1.7 5.1.8 (our
//	           sender), 5.3.4 5.2.3 (too large), x.5.x,
//	           x.6.x                                   our fault or theirs, not the address's: noted only
//	delayed    still being tried                       noted only
//	delivered  a receipt that somebody asked for       noted only
//	complaint  abuse, fraud, opt-out                   suppressed at once, for everything
//
// A code without a statement (5.0.0, or none) is read by the reply's number and words.
// A hard bounce that names another address than ours, as when our reader forwards the
// mail to a dead mailbox, counts as soft. Of each, the timeline gets a note without the
// address, if the notification is known.
//
// All of it is idempotent: a report that is read twice counts once.
//
// # Concurrency
//
// Run owns one goroutine that looks into the Maildir and one that accepts connections,
// which has one more for each connection; it waits for all of them. Reports are applied
// in no particular order. Seals and an Applier are safe for concurrent use.
package bounce
