// Package unsubscribe is the link at the end of every mail, and what happens behind it.
//
// A link holds a token, and the token holds everything: whom the mail was for, its
// category and the hash of the address, under an HMAC. So there is nothing to store
// when a mail is sent, a link works for as long as its key is configured, and it shows
// nobody an address. Keys are rotated by putting a new one in front: the first signs,
// all verify.
//
// There are two ways to use a link. The program that shows a mail posts
// "List-Unsubscribe=One-Click" to it (RFC 8058), which acts at once, without cookies,
// login or redirects. A person opens it and gets a page with a form. Opening changes
// nothing, as scanners of mail open all links; the form's POST acts, and the page after
// it offers to undo that. The page needs no script and gets none: its policy allows one
// style sheet and posting to itself.
//
// To act means to tell an Actor, usually OnList, and nothing else.
//
// # Concurrency
//
// The package starts no goroutines. A Service is safe for concurrent use once it is made.
package unsubscribe
