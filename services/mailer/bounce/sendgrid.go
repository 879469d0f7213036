package bounce

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"tidings/services/mailer/bounce/dsn"
	"tidings/shared/httpx"
	"tidings/shared/telemetry"
)

// Headers of SendGrid's signed event webhook.
const (
	headerSendGridSignature = "X-Twilio-Email-Event-Webhook-Signature"
	headerSendGridTimestamp = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// sendGridAge is how old a signature of SendGrid may be: it tries for a day to send
// events, and does not say whether it signs anew. What is replayed counts once.
const sendGridAge = 25 * time.Hour

// sendGridVerifier checks an ECDSA signature over the timestamp and the body. The key
// is a public one on P-256, in DER and base64, as SendGrid's settings show it.
func sendGridVerifier(secret telemetry.Secret) (verifier, error) {
	der, err := base64.StdEncoding.DecodeString(secret.Reveal())
	if err != nil {
		return nil, errors.New("the verification key is not base64")
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	key, ok := parsed.(*ecdsa.PublicKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the verification key is no public key on P-256")
	}
	return func(h http.Header, body []byte, now time.Time) bool {
		stamp := h.Get(headerSendGridTimestamp)
		sent, err := base64.StdEncoding.DecodeString(h.Get(headerSendGridSignature))
		if err != nil || !within(stamp, now, sendGridAge, signatureAge) {
			return false
		}
		sum := sha256.New()
		sum.Write([]byte(stamp))
		sum.Write(body)
		return ecdsa.VerifyASN1(key, sum.Sum(nil), sent)
	}, nil
}

// sendGridEvent are the fields of an event that we use; there are many more, and new
// ones come without notice.
type sendGridEvent struct {
	Event     string  `json:"event"`
	Type      string  `json:"type"` // of a bounce: bounce or blocked
	Email     string  `json:"email"`
	SMTPID    string  `json:"smtp-id"` // the Message-ID
	Status    string  `json:"status"`
	Reason    string  `json:"reason"`
	Response  string  `json:"response"`
	Timestamp float64 `json:"timestamp"` // Unix seconds
}

// parseSendGrid reads an array of events. Opens, clicks and the like are left out.
func parseSendGrid(body []byte) ([]event, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, httpx.NewProblem(http.StatusBadRequest, httpx.CodeBadJSON, "The body is no array of events.").WithCause(err)
	}
	if len(raw) > MaxEvents {
		return nil, tooMany()
	}
	events := make([]event, 0, len(raw))
	for _, data := range raw {
		var s sendGridEvent
		// An event of a new shape must not keep the others out: they would be sent for a day.
		if json.Unmarshal(data, &s) != nil {
			s = sendGridEvent{}
		}
		if kind := s.kind(); kind != "" {
			events = append(events, event{
				kind: kind, recipient: s.Email, messageID: s.SMTPID, status: s.Status,
				reason: strings.TrimSpace(s.Reason + " " + s.Response), at: s.at(),
			})
		}
	}
	return events, nil
}

// kind is what an event says, "" for what does not concern us.
func (s sendGridEvent) kind() Kind {
	switch s.Event {
	case "bounce":
		if s.Type == "blocked" {
			return Refused
		}
		return dsn.Classify(dsn.Code(s.Status), s.Reason)
	case "deferred":
		return Delayed
	case "delivered":
		return Delivered
	case "spamreport":
		return Complaint
	case "dropped": // SendGrid's own list, or its view of us: it did not try
		return Refused
	}
	return ""
}

// at is the event's time, zero if it has no sensible one.
func (s sendGridEvent) at() time.Time {
	const year9999 = 253402300799
	if s.Timestamp <= 0 || s.Timestamp > year9999 {
		return time.Time{}
	}
	return time.Unix(int64(s.Timestamp), 0).UTC()
}
