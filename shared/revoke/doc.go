// Package revoke takes rights back before they end by themselves.
//
// An Order goes out on the control subject "<prefix>.ctl.revoke" as
// {"user":"ann"} or {"token":"<jti>"}, in plain core NATS: every edge ends the
// connections that the user has now, or those with the token, at once. Any client of
// NATS may send one.
//
// A token that was revoked must not let anyone in again. Every process has a List of
// them, the hook of auth.Authenticator. It takes the orders, and watches the bucket
// "<prefix>_revoked", in which Publish notes a token's id for those processes that
// begin later or were cut off: an order that was sent by hand is not there. A user who was revoked may come back with a new
// token; whether there is one is up to whoever issues them.
//
// # Concurrency
//
// A List is safe for concurrent use. List.Run watches in its caller's goroutine;
// Listen calls back from a goroutine that ends, and is waited for, with its context.
package revoke
