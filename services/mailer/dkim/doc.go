// Package dkim signs mails, so that who receives one can tell that it comes from the
// domain it names and that nobody changed it on the way (RFC 6376).
//
// A Signer holds keys of one or more domains and signs with those of the domain
// in the From header, or of the nearest domain above it. A domain may have several keys:
// every mail is signed with each, so that RSA, which everybody reads, and Ed25519, which
// is short, stand side by side. To change a key, publish the new one's record, put the new
// key in the old one's place a day later, and remove the old record after a week,
// when no mail is under way any more.
//
// The signature covers what a reader sees and what their mail program acts upon, the
// headers of one-click unsubscription among it, as RFC 8058 asks for. From and Subject
// are signed once more than they are there, so that none can be added; headers that are not
// there are signed as absent.
//
// go-mail has a signer, too. It folds long lists of headers inside of a word after
// it hashed them, which breaks the signature, hence emersion/go-msgauth does the work.
package dkim
