package bounce

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/mailer/bounce/dsn"
	"tidings/shared/httpx"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
)

// HookKind says who sends to a webhook, and so how a request proves itself and is read.
type HookKind string

// The kinds of webhook.
const (
	// HookStandard takes our own JSON, signed as Standard Webhooks are: HMAC-SHA256 over
	// "<id>.<timestamp>.<body>". It is for providers that somebody translates.
	HookStandard HookKind = "standard"
	// HookSendGrid takes the signed event webhook of SendGrid.
	HookSendGrid HookKind = "sendgrid"
)

const (
	// MaxHook is the largest body in bytes. SendGrid sends at most 768 KiB at once.
	MaxHook = 1 << 20
	// MaxEvents bounds the events of one request.
	MaxEvents = 5000
	// maxHooks bounds the webhooks, and maxHookName a name in bytes, which is part of a URL.
	maxHooks, maxHookName = 20, 64
	// maxStrangers is how many requests are read at once before their signature is known.
	maxStrangers = 8
	// retryAfter is when a provider should send again.
	retryAfter = 30 * time.Second
)

// Hook is a webhook that may come in, at POST /v1/bounces/<Name>.
type Hook struct {
	// Name is 1 to 64 of a–z, 0–9, '-' and '_'.
	Name string
	// Kind says who sends.
	Kind HookKind
	// Secrets prove the sender, any of them; several while one is being changed. For
	// HookStandard: "whsec_" and base64, or any text of at least 24 bytes. For
	// HookSendGrid: the verification key from its settings.
	Secrets []telemetry.Secret
}

// provider is how the webhooks of one kind are read. To take another provider, add one
// to the table below.
type provider struct {
	// prepare makes a verifier of a secret, or says what is wrong with it.
	prepare func(telemetry.Secret) (verifier, error)
	// header is what a caller is told to look at when the proof fails.
	header string
	// parse reads a body that is proven. Its errors are *httpx.Problems.
	parse func(body []byte) ([]event, error)
}

// verifier reports whether a request was signed by who knows a secret.
type verifier func(h http.Header, body []byte, now time.Time) bool

// providers is the table of what is known.
func providers() map[HookKind]provider {
	return map[HookKind]provider{
		HookStandard: {prepare: standardVerifier, header: headerSignature, parse: parseStandard},
		HookSendGrid: {prepare: sendGridVerifier, header: headerSendGridSignature, parse: parseSendGrid},
	}
}

// event is what a provider says about one mail; its fields are those of a Report.
type event struct {
	kind                         Kind
	recipient, messageID, key    string
	notification, status, reason string
	at                           time.Time
}

// report makes a report that needs no proof but the provider's signature. It is not ok
// if the address is none.
func (e event) report() (Report, bool) {
	hash, err := suppress.Hash(suppress.ChannelMail, e.recipient)
	if err != nil {
		return Report{}, false
	}
	r := Report{
		Kind: e.kind, Recipient: dsn.Line(e.recipient), Key: e.key, Status: dsn.Code(e.status), Diagnostic: dsn.Line(e.reason), At: e.at,
		Notification: e.notification, AddressHash: hash,
	}
	var key string
	if r.MessageID, key = dsn.MessageID(e.messageID); r.Key == "" {
		r.Key = key
	}
	return r, true
}

// hook is a Hook that is ready.
type hook struct {
	provider
	verifiers []verifier
}

// hooks answer the webhooks.
type hooks struct {
	desk      *desk
	byName    map[string]hook
	strangers chan struct{} // holds one for each request that is being read
}

// newHooks checks the configuration and returns every fault.
func newHooks(list []Hook, d *desk) (*hooks, error) {
	h := &hooks{desk: d, byName: map[string]hook{}, strangers: make(chan struct{}, maxStrangers)}
	var faults []error
	if len(list) > maxHooks {
		faults = append(faults, fmt.Errorf("more than %d webhooks", maxHooks))
	}
	for _, cfg := range list {
		p, known := providers()[cfg.Kind]
		switch {
		case !dsn.IsKey(cfg.Name) || len(cfg.Name) > maxHookName:
			faults = append(faults, fmt.Errorf("webhook %.70q: the name must be 1 to %d letters, digits, '-' and '_'", cfg.Name, maxHookName))
		case !known:
			faults = append(faults, fmt.Errorf("webhook %q: kind %.70q is none of standard and sendgrid", cfg.Name, string(cfg.Kind)))
		case len(cfg.Secrets) == 0 || len(cfg.Secrets) > MaxSealKeys:
			faults = append(faults, fmt.Errorf("webhook %q: 1 to %d secrets are needed", cfg.Name, MaxSealKeys))
		}
		if _, twice := h.byName[cfg.Name]; twice {
			faults = append(faults, fmt.Errorf("webhook %.70q: there are two", cfg.Name))
		}
		ready := hook{provider: p}
		for _, secret := range cfg.Secrets {
			if !known {
				break
			}
			v, err := p.prepare(secret)
			if err != nil {
				faults = append(faults, fmt.Errorf("webhook %.70q: %w", cfg.Name, err))
			}
			ready.verifiers = append(ready.verifiers, v)
		}
		h.byName[cfg.Name] = ready
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("bounce: %w", err)
	}
	return h, nil
}

// answer tells a provider what became of its events.
type answer struct {
	Taken   int `json:"taken"`
	Ignored int `json:"ignored"`
}

// post is POST /v1/bounces/:provider.
func (h *hooks) post(c echo.Context) error {
	hook, ok := h.byName[c.Param("provider")]
	if !ok {
		return httpx.NewProblem(http.StatusNotFound, "hook_unknown", "There is no webhook of this name.")
	}
	select {
	case h.strangers <- struct{}{}:
		defer func() { <-h.strangers }()
	default:
		return httpx.NewProblem(http.StatusServiceUnavailable, httpx.CodeOverloaded, "Too many reports are coming in at once.").WithRetryAfter(retryAfter)
	}
	r := c.Request()
	body, err := io.ReadAll(http.MaxBytesReader(c.Response().Writer, r.Body, MaxHook))
	if err != nil {
		return fmt.Errorf("read a report: %w", err)
	}
	now, signed := time.Now(), false
	for _, v := range hook.verifiers {
		signed = v(r.Header, body, now) || signed
	}
	if !signed {
		return httpx.NewProblem(http.StatusUnauthorized, "bad_signature", "The signature is missing, wrong or too old.").
			WithParam(hook.header).WithHint("Check the secret on both sides, and the sender's clock.")
	}
	events, err := hook.parse(body)
	if err != nil {
		return err
	}
	var reports []Report
	for _, e := range events {
		if r, ok := e.report(); ok {
			reports = append(reports, r)
		}
	}
	if err := h.desk.take(r.Context(), byHook, reports); err != nil {
		return httpx.NewProblem(http.StatusServiceUnavailable, "bounces_unavailable", "The reports could not be stored now.").
			WithHint("Send all of them again; what was stored counts once.").WithRetryAfter(retryAfter).WithCause(err)
	}
	if err := c.JSON(http.StatusOK, answer{len(reports), len(events) - len(reports)}); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
