// Package producer takes events in and stores them.
//
// Three doors lead to the log. POST /v1/events is for programs that hold a token:
// one event, a list, lines of JSON or CloudEvents. POST /v1/hooks/:name is for
// senders that know nothing of Tidings and prove themselves with a secret: GitHub,
// Alertmanager, or anyone who can compute an HMAC. The feed is the service's own
// source: this machine's and NATS's figures, once a second.
//
// A request goes three steps. Package envelope turns bytes into checked events, a
// pure function that reports every fault at once. publish.go asks the
// token about every topic. append.go stores one event after the other. Only the
// last step touches the log, so a refused request has stored nothing.
//
// An answer is a promise: "stored" is said after the log acknowledged, and never
// otherwise. What the log did not confirm is reported so, per event, and may be
// sent again under the same id or Idempotency-Key without being stored twice.
//
// # Concurrency
//
// Handlers run on the server's goroutines and share nothing that changes but the
// two gates, which bound how many requests are in memory at once. The events of
// one request are stored in the order they were sent; between requests there is no
// order but the log's. Run owns one goroutine per source of the feed and waits for
// them; each publishes in order, and nothing is ordered between the two.
package producer
