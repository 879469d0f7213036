package wire

import (
	"math/rand/v2"
	"time"
)

// Bye says why a connection ends and whether its client should come back. The
// table below is all there are; clients may rely on the codes.
type Bye struct {
	// Code is stable and machine-readable.
	Code string `json:"code"`
	// Reason is a sentence for people.
	Reason string `json:"reason"`
	// Return says whether to come back.
	Return bool `json:"return"`
	// RetryMS is how long to wait first, in milliseconds; random within a range, so
	// that clients do not come back together.
	RetryMS int64 `json:"retry_ms"`
	// Close is the code of a WebSocket's close frame; its reason is Code. Where RFC
	// 6455 has no code that says it, it is one of 4000 to 4499.
	Close uint16 `json:"-"`
}

// The table of reasons.
var (
	Draining = Bye{Code: "draining", Reason: "This node is shutting down; another one will serve you.", Return: true, Close: 1001}
	Full     = Bye{Code: "overloaded", Reason: "This node has as many connections as it takes.", Return: true, Close: 1013}
	User     = Bye{Code: "too_many_connections", Reason: "You have as many connections as one user may have; close some.", Return: true, Close: 4029}
	IP       = Bye{Code: "too_many_connections", Reason: "Your address has as many connections as one address may have; close some.", Return: true, Close: 4029}
	Away     = Bye{Code: "log_unavailable", Reason: "The event log cannot be reached at the moment.", Return: true, Close: 1013}
	Keys     = Bye{Code: "keys_unavailable", Reason: "Tokens cannot be checked at the moment.", Return: true, Close: 1013}
	Expired  = Bye{Code: "token_expired", Reason: "Your token has expired; come back with a new one.", Return: true, Close: 4001}
	Cut      = Bye{Code: "cut", Reason: "An operator ended this connection.", Return: true, Close: 4008}
	CutOff   = Bye{Code: "cut", Reason: "An operator ended this connection.", Close: 4403}
	Revoked  = Bye{Code: "revoked", Reason: "Your right to be here has been revoked.", Close: 4403}
)

// minRetry and maxRetry bound the random reconnection time each connection gets, so
// that the clients of a node that dies do not come back in one instant.
const minRetry, maxRetry = time.Second, 5 * time.Second

// longRetry is for refusals that a quick return would only repeat.
const longRetry = 6

// WithRetry draws the time to stay away.
func (b Bye) WithRetry() Bye {
	if !b.Return {
		return b // there is nothing to wait for
	}
	r := RandomRetry()
	if b.Code == Full.Code || b.Code == User.Code || b.Code == Cut.Code {
		r *= longRetry
	}
	b.RetryMS = r.Milliseconds()
	return b
}

// RandomRetry draws the time to stay away, uniform between minRetry and maxRetry.
func RandomRetry() time.Duration { return minRetry + rand.N(maxRetry-minRetry) }
