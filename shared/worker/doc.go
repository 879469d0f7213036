// Package worker is the one durable loop that delivers notifications: mail, push, SMS
// and webhooks are a Sender each, and everything else about getting a job done once is
// here.
//
// A Queue stores jobs, one message per job, in the stream JOBS. A Worker takes those of
// one channel, some at a time, and calls its Sender for each. What becomes of a job is
// written down as receipts in the stream RECEIPTS, which hold the notification's id in
// their subject, so that the timeline of a notification is read back with one question.
// A job that was given up is kept as a letter in the stream DEAD, until somebody drops
// it or has it tried again.
//
// # Once
//
// Receipts are not a log on the side: the last receipt of a job is its state, and every
// receipt is stored under the condition that the one before is the last. Nothing is
// sent before "sending" is stored so, hence of two workers that hold the same job only
// one goes on; and a job whose "sent" is stored is acknowledged and never sent again,
// whatever becomes of the acknowledgement. Attempts are counted by receipts and not by
// deliveries, so restarts and drains cost a job none of its attempts.
//
// What remains is the moment between the provider's yes and the storing of "sent". A
// worker that dies there leaves a job that may have got through. It is sent again, with
// the same key for the provider and Attempt.Unsure set, unless Job.Once says that not at
// all is better than twice: then it is a dead letter. Either way it is counted.
//
// # Lost and found
//
// A letter is in DEAD before its job is removed, and a job is back in JOBS before its
// letter is removed. What is interrupted in between is done again and changes nothing.
// While NATS is away, outcomes are held and stored when it is back.
//
// # Concurrency
//
// A Queue and a Metrics are safe for concurrent use. Enqueue stores some jobs at a time,
// each in a goroutine it waits for. Worker.Run takes jobs from the queue in the goroutine
// that calls it, and owns one for each of the Config.Concurrency jobs it does at once, one
// for each job in hand that tells NATS so, one that watches the connection and one that
// keeps the drain's time; it returns after all have ended, so it waits for a Sender that
// does not heed its context. Jobs are begun in the order of the queue and may end in any;
// the receipts of one job are in order.
package worker
