// Package suppress is the list of addresses that must not be used any more: they
// bounced, their owner complained, unsubscribed or withdrew consent, or an operator
// blocked them. It is asked before a message is queued and again before it is sent.
//
// The list is the KV bucket "suppressed". A key is the channel and the SHA-256 of the
// normalised address, so who reads the bucket reads no address; who already has an
// address can ask for it, which is the point. A value holds the reasons and nothing
// else. Since a link or a returned mail can carry the hash and not the address, each
// call exists for both: Add and AddHashed.
//
// What only counts when it happens again, a full mailbox, is a strike. Strikes are
// kept in the bucket "strikes", whose entries end by themselves.
//
// Nothing is kept in this process: an answer is what NATS holds, and a list works on
// after a restart of NATS or when somebody deletes a bucket, which then is made anew
// and is empty. While NATS is away, Of fails; a caller that sends nevertheless breaks
// the law in some countries, so it must wait instead.
//
// # Concurrency
//
// A List starts no goroutines and is safe for concurrent use. Changes of one address,
// also by several processes, are made one after the other: each is a compare-and-set
// that is tried again when somebody else came first.
package suppress
