package route

import "time"

// Verdict is what becomes of a notification on one channel.
type Verdict string

// The verdicts.
const (
	// Now: send it.
	Now Verdict = "now"
	// Held: call Resume at Delivery.At.
	Held Verdict = "held"
	// Digested: put it into Delivery.Digest, which is sent at Delivery.At.
	Digested Verdict = "digest"
	// Dropped: the channel is not used.
	Dropped Verdict = "dropped"
)

// Delivery is the decision about one channel.
type Delivery struct {
	// Channel is what it is about.
	Channel Channel `json:"channel"`
	// Verdict is the decision.
	Verdict Verdict `json:"verdict"`
	// Address is where it goes: the user for inbox and push, the e-mail address, the
	// phone number or the name of the hook. Empty if dropped.
	Address string `json:"address,omitempty"`
	// At is when, in UTC; zero if dropped.
	At time.Time `json:"at,omitzero"`
	// Digest is the id of the digest, for Digested.
	Digest string `json:"digest,omitempty"`
	// Collapse replaces a waiting delivery of the same channel with the same value;
	// empty replaces none. See CollapseKey.
	Collapse string `json:"collapse,omitempty"`
	// Key is the job key, see JobKey. Empty if dropped.
	Key string `json:"key,omitempty"`
	// Reason says why, for programs.
	Reason Reason `json:"reason"`
	// Why says it in a sentence.
	Why string `json:"why,omitempty"`
}
