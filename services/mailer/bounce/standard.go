package bounce

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tidings/services/mailer/bounce/dsn"
	"tidings/shared/httpx"
	"tidings/shared/telemetry"
)

// Headers of Standard Webhooks.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

const (
	// minHookSecret is the shortest secret in bytes that Standard Webhooks allow.
	minHookSecret = 24
	// signatureAge is how far a signature's time may be from now, either way.
	signatureAge = 5 * time.Minute
	// maxSignatures bounds the signatures of one header: a sender that changes its secret
	// sends two.
	maxSignatures = 4
	// secretPrefix begins a secret that is base64.
	secretPrefix = "whsec_"
)

// standardVerifier checks "v1,<base64>" over "<id>.<timestamp>.<body>", one right
// signature among several being enough.
func standardVerifier(secret telemetry.Secret) (verifier, error) {
	key := []byte(secret.Reveal())
	if encoded, ok := strings.CutPrefix(secret.Reveal(), secretPrefix); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("the secret after whsec_ is not base64") // the error would quote a part of it
		}
	}
	if len(key) < minHookSecret {
		return nil, fmt.Errorf("the secret is shorter than %d bytes", minHookSecret)
	}
	return func(h http.Header, body []byte, now time.Time) bool {
		id, stamp := h.Get(headerID), h.Get(headerTimestamp)
		if id == "" || !within(stamp, now, signatureAge, signatureAge) {
			return false
		}
		m := hmac.New(sha256.New, key)
		m.Write([]byte(id + "." + stamp + "."))
		m.Write(body)
		want, ok := m.Sum(nil), false
		for _, part := range strings.Fields(h.Get(headerSignature))[:min(maxSignatures, len(strings.Fields(h.Get(headerSignature))))] {
			version, encoded, _ := strings.Cut(part, ",")
			sent, err := base64.StdEncoding.DecodeString(encoded)
			ok = version == "v1" && err == nil && hmac.Equal(sent, want) || ok
		}
		return ok
	}, nil
}

// within reports whether a time in Unix seconds is near now.
func within(stamp string, now time.Time, before, after time.Duration) bool {
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	// Compared in seconds: a duration cannot hold the distance of a hostile stamp.
	at := now.Unix()
	return err == nil && seconds >= at-int64(before/time.Second) && seconds <= at+int64(after/time.Second)
}

// kindBounce is a failure whose kind follows from its status and words.
const kindBounce = "bounce"

// standardEvent is one report in our own JSON.
type standardEvent struct {
	// Kind is one of the kinds, or "bounce": then the status says which.
	Kind         string     `json:"kind"`
	Recipient    string     `json:"recipient"`
	MessageID    string     `json:"message_id"`
	Key          string     `json:"key"`
	Notification string     `json:"notification"`
	Status       string     `json:"status"`
	Diagnostic   string     `json:"diagnostic"`
	At           *time.Time `json:"at"`
}

// parseStandard reads one report or an array of them.
func parseStandard(body []byte) ([]event, error) {
	var all []standardEvent
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) > 0 && text[0] == '[' {
		if err := httpx.DecodeJSON(bytes.NewReader(body), &all); err != nil {
			return nil, err // it is a Problem
		}
	} else {
		all = make([]standardEvent, 1)
		if err := httpx.DecodeJSON(bytes.NewReader(body), &all[0]); err != nil {
			return nil, err // it is a Problem
		}
	}
	if len(all) > MaxEvents {
		return nil, tooMany()
	}
	events := make([]event, 0, len(all))
	for i, s := range all {
		e, err := s.event()
		if err != nil {
			return nil, err.WithParam(fmt.Sprintf("%d.%s", i, err.Param))
		}
		events = append(events, e)
	}
	return events, nil
}

// event checks a report. Here all must be right, since somebody writes it for us.
func (s standardEvent) event() (event, *httpx.Problem) {
	e := event{
		kind: Kind(s.Kind), recipient: s.Recipient, messageID: s.MessageID, key: s.Key, notification: s.Notification,
		status: s.Status, reason: s.Diagnostic,
	}
	if s.At != nil {
		e.at = *s.At
	}
	if s.Kind == kindBounce {
		e.kind = dsn.Classify(dsn.Code(s.Status), s.Diagnostic)
	}
	bad := func(param, detail string) *httpx.Problem { return httpx.Bad(param, httpx.CodeBadField, detail) }
	_, isAddress := e.report()
	switch {
	case !e.kind.Known():
		return e, bad("kind", "The kind is none of bounce, hard, soft, refused, delayed, delivered and complaint.")
	case !isAddress || !strings.Contains(s.Recipient, "@"):
		return e, bad("recipient", "The recipient is no address.")
	case s.Key != "" && !dsn.IsKey(s.Key):
		return e, bad("key", "This is no key of a job.")
	case len(s.Notification) > maxNotification || !utf8.ValidString(s.Notification):
		return e, bad("notification", "This is no id of a notification.")
	case s.Status != "" && dsn.Code(s.Status) != s.Status:
		return e, bad("status", "The status is no enhanced code such as 5.1.1.")
	}
	return e, nil
}

func tooMany() *httpx.Problem {
	return httpx.NewProblem(http.StatusRequestEntityTooLarge, httpx.CodeBodyTooLarge, fmt.Sprintf("There are more than %d reports.", MaxEvents))
}
