// Package dsn reads mail that came back: delivery status notifications (RFC 3464),
// feedback reports of people who call a mail spam (RFC 5965), and the bounces of servers
// that know neither and quote the message. It says what they report, and decides what a
// failure means by its code; package bounce decides whether to believe it.
//
// All of it was written by strangers. A message is read up to MaxMessage, its parts up
// to a depth and a number, and each text is bounded; what is beyond is as if it were not
// there. Nothing is refused for bad form that can be understood.
//
// The package starts no goroutines and keeps no state.
package dsn
