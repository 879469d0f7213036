// Package timeline tells what became of a notification: what was asked, what was
// decided for whom and why, and what the channels made of it.
//
// It is a pure function of what the ledger and the receipts of the jobs hold. Nothing
// is counted or kept on the side, so it can't disagree with them. It shows no addresses.
package timeline
