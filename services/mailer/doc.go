// Package mailer sends the jobs of the channel "mail".
//
// A job's payload is a notice.Message, which says everything about one mail to one
// person. The mailer asks the suppression list once more, renders the message in the
// person's language, writes it down as a mail, signs it (package dkim), and hands it to
// the first provider that takes it (package smtp). What came of it is told to the
// queue's worker, which owns attempts, pauses, receipts and dead letters.
//
// # The same mail
//
// A job makes the same bytes however often and wherever it is tried: the Message-ID is the
// job's key, the date is when the job was queued, and the MIME boundary is a hash of what
// it separates, so that no text can contain it. The signature alone says when it
// was made. Hence a mail that arrives twice can be known by whoever receives it.
//
// When an attempt may have got through, the next one stays with the provider that may
// have the mail. Which one that is, is remembered, and found in the job's receipts after
// a restart; if the process died before it could say, it was most likely the first.
//
// # What gets into a header
//
// Names of headers are constants. Values are refused, and the job given up, if they hold
// a control character; nothing is repaired in silence. Addresses are local@domain
// without quotes, comments and address literals; the domain is written in ASCII, and a local
// part outside ASCII needs a provider that speaks SMTPUTF8. Errors never quote an address.
//
// # Concurrency
//
// Send is safe for concurrent use; the worker calls it for Config.Concurrency jobs at
// a time. Run owns the worker and a goroutine that closes idle connections, and ends the
// latter after the former, so that no connection outlives Run. Mails leave in no
// particular order.
package mailer
