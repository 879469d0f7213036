package producer

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/producer/envelope"
	"tidings/shared/httpx"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/telemetry"
)

// Kinds of hook: who sends, and so how a request proves itself and is read.
const (
	// KindGitHub takes GitHub's webhooks (and those that imitate them):
	// X-Hub-Signature-256 over the body.
	KindGitHub HookKind = "github"
	// KindAlertmanager takes Prometheus Alertmanager's webhook, one event per alert.
	// Alertmanager cannot sign, so the secret is its bearer token.
	KindAlertmanager HookKind = "alertmanager"
	// KindHMAC takes anybody who can compute X-Tidings-Signature.
	KindHMAC HookKind = "hmac"
)

const (
	// MinSecret is the shortest secret of a hook in bytes. The endpoint is open to
	// strangers, who may try as many secrets as they like.
	MinSecret = 16
	// maxHookName bounds a hook's name, which is part of its URL, in bytes.
	maxHookName = 64
)

// HookKind says who sends to a hook.
type HookKind string

// Hook is one webhook that may come in, at POST /v1/hooks/<Name>.
type Hook struct {
	// Name is 1 to 64 of the characters a–z, 0–9, "-" and "_".
	Name string
	// Kind says who sends.
	Kind HookKind
	// Topic is where its events go.
	Topic subject.Topic
	// Secret proves the sender; at least 16 bytes.
	Secret telemetry.Secret
}

// check returns every fault of the configuration.
func (h Hook) check() error {
	var faults []error
	if !hookName(h.Name) {
		faults = append(faults, fmt.Errorf("hook %q: the name must be 1 to %d of a-z, 0-9, '-' and '_'", h.Name, maxHookName))
	}
	switch h.Kind {
	case KindGitHub, KindAlertmanager, KindHMAC:
	default:
		faults = append(faults, fmt.Errorf("hook %q: kind %q is none of github, alertmanager and hmac", h.Name, string(h.Kind)))
	}
	if _, err := subject.ParseTopic(string(h.Topic)); err != nil {
		faults = append(faults, fmt.Errorf("hook %q: %w", h.Name, err))
	}
	if len(h.Secret.Reveal()) < MinSecret {
		faults = append(faults, fmt.Errorf("hook %q: the secret is shorter than %d bytes", h.Name, MinSecret))
	}
	return errors.Join(faults...)
}

// hookName reports whether s may name a hook.
func hookName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxHookName
}

// postHook is POST /v1/hooks/:name. Whoever can't prove to know the secret is
// refused before the body is looked into.
func (p *Producer) postHook(c echo.Context) error {
	hook, known := p.hooks[c.Param("name")]
	if !known {
		return p.metrics.refuse(httpx.NewProblem(http.StatusNotFound, "hook_unknown", "There is no webhook of this name."))
	}
	leave, err := p.strangers.enter(c.Request().Context())
	if err != nil {
		return p.metrics.refuse(err)
	}
	defer leave()
	b, err := receiveHook(c, hook, time.Now())
	if err != nil {
		return p.metrics.refuse(err)
	}
	out := p.store(c.Request().Context(), b)
	if out.err != nil {
		// Senders look at the status alone and send all of it again; ids make that harmless.
		return stream.Problem(out.err)
	}
	return p.answer(c, b, out, http.StatusOK)
}

// receiveHook reads a hook's request and returns its events.
func receiveHook(c echo.Context, hook Hook, now time.Time) (envelope.Batch, error) {
	header := c.Request().Header
	if hook.Kind == KindAlertmanager && !bearerMatches(header, hook.Secret) {
		return envelope.Batch{}, badSignature("Authorization", "bearer token")
	}
	body, err := httpx.ReadBody(c, MaxHookBody)
	if err != nil {
		return envelope.Batch{}, err
	}
	events := envelope.Hook{Topic: hook.Topic, Source: "hook/" + hook.Name}
	switch hook.Kind {
	case KindGitHub:
		if !gitHubSigned(header, body, hook.Secret) {
			return envelope.Batch{}, badSignature(headerGitHubSignature, "signature")
		}
		return envelope.ParseGitHub(events, header, body)
	case KindHMAC:
		if !hmacSigned(header, body, hook.Secret, now) {
			return envelope.Batch{}, badSignature(headerSignature, "signature")
		}
		return envelope.ParseHMAC(events, header, body)
	case KindAlertmanager: // its token was checked before the body was read
	}
	return envelope.ParseAlerts(events, body)
}

// badSignature is the answer to a sender who did not prove to know the secret. It
// doesn't tell what was wrong with the proof.
func badSignature(header, what string) *httpx.Problem {
	return httpx.NewProblem(http.StatusUnauthorized, "bad_signature", "The "+what+" is missing, wrong or too old.").
		WithParam(header).WithHint("Check the secret on both sides, and the sender's clock.")
}
