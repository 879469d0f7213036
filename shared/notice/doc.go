// Package notice is what a deliverer is told to tell somebody: the payload of the jobs
// of the channels mail, push, sms and hook.
//
// The notifier writes a Message for each person and channel, and the channel's Sender
// reads it, maybe days later and maybe in another process of another version. So a
// Message holds all that a delivery needs, the address and the language of the person
// among it, and nothing has to be looked up to send it. Title, body and data are those
// of the notification: a Sender that knows templates renders them itself.
//
// Reading is strict about what a fault could do harm with, and kind about the rest.
// Sizes, counts and control characters are checked, on both sides, since what is read
// here ends in headers of mails and in frames of other protocols. Fields that the
// reader doesn't know are passed over, as otherwise one new field would send all jobs
// of a rolling upgrade to the dead letters.
//
// # Concurrency
//
// The package starts no goroutine. A Message is a value: Parse keeps nothing, and
// Encode changes nothing.
package notice
