package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"strconv"
	"strings"

	"tidings/shared/subject"
	"tidings/shared/telemetry"
)

// Kinds of webhooks.
const (
	// HookGitHub is signed by GitHub's X-Hub-Signature-256.
	HookGitHub = "github"
	// HookAlertmanager carries the secret as a Bearer token.
	HookAlertmanager = "alertmanager"
	// HookHMAC is signed by a generic HMAC-SHA256 header.
	HookHMAC = "hmac"
)

const (
	// minHookSecret is the fewest bytes of a webhook's secret: fewer can be guessed
	// from one signed message.
	minHookSecret = 16
	// maxHookName bounds a webhook's name, a part of a path and of metrics.
	maxHookName = 32
	// redacted stands for what a URL hides.
	redacted = "hidden"
)

// Size is a number of bytes.
type Size int64

// Units of a Size, largest first, so that String finds the largest that divides.
const (
	kib Size = 1 << 10
	mib Size = 1 << 20
	gib Size = 1 << 30
	tib Size = 1 << 40
)

// ParseSize reads bytes ("1000") or a whole number of KiB, MiB, GiB or TiB
// ("64MiB"). Decimal units are refused: half of their users mean the binary ones.
func ParseSize(s string) (Size, error) {
	digits, unit := s, Size(1)
	for suffix, u := range map[string]Size{"KiB": kib, "MiB": mib, "GiB": gib, "TiB": tib} {
		if head, ok := strings.CutSuffix(s, suffix); ok {
			digits, unit = strings.TrimRight(head, " "), u
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit) {
		return 0, errors.New("must be a number of bytes such as 64MiB, 1GiB or 1048576")
	}
	return Size(n) * unit, nil
}

// String writes s with the largest unit that divides it; ParseSize reads it.
func (s Size) String() string {
	switch {
	case s == 0:
		return "0"
	case s%tib == 0:
		return strconv.FormatInt(int64(s/tib), 10) + "TiB"
	case s%gib == 0:
		return strconv.FormatInt(int64(s/gib), 10) + "GiB"
	case s%mib == 0:
		return strconv.FormatInt(int64(s/mib), 10) + "MiB"
	case s%kib == 0:
		return strconv.FormatInt(int64(s/kib), 10) + "KiB"
	}
	return strconv.FormatInt(int64(s), 10)
}

// URL is a URL, or several separated by commas, that may carry credentials. It
// shows itself without passwords, tokens and queries to fmt, slog and encoders.
type URL string

// Reveal returns the URL as it was given, credentials included.
func (u URL) Reveal() string { return string(u) }

// String returns u with its credentials hidden.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	parts := strings.Split(string(u), ",")
	for i, p := range parts {
		parts[i] = redact(strings.TrimSpace(p))
	}
	return strings.Join(parts, ",")
}

// Format hides the credentials from every verb of fmt.
func (u URL) Format(f fmt.State, verb rune) {
	text := u.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = strconv.Quote(text)
	}
	// A fmt.State keeps its own errors; there is nobody to report one to.
	_, _ = io.WriteString(f, text)
}

// LogValue hides the credentials from slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText hides the credentials from encoding/json and other encoders.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// redact hides the userinfo and the query of one URL. A user without a password is
// hidden too: in a NATS URL it is a token.
func redact(s string) string {
	p, err := url.Parse(s)
	if err != nil || p.Host == "" {
		// It may be anything, so it may hold anything.
		return redacted
	}
	if p.User != nil {
		if _, ok := p.User.Password(); ok {
			p.User = url.UserPassword(p.User.Username(), redacted)
		} else {
			p.User = url.User(redacted)
		}
	}
	if p.RawQuery != "" {
		p.RawQuery = redacted
	}
	p.Fragment, p.RawFragment = "", ""
	return p.String()
}

// Hook is a webhook that is taken in at /v1/hooks/<Name>.
type Hook struct {
	// Name is the last part of the path: 1 to 32 of [a-z0-9-].
	Name string
	// Kind is HookGitHub, HookAlertmanager or HookHMAC.
	Kind string
	// Topic is where its events go; "" leaves that to the producer.
	Topic subject.Topic
	// Secret is what signs the calls, at least 16 bytes without commas and colons.
	Secret telemetry.Secret
}

// String writes h as it is configured, with the secret hidden.
func (h Hook) String() string {
	if h.Topic == "" {
		return h.Name + "=" + h.Kind + ":" + h.Secret.String()
	}
	return h.Name + "=" + h.Kind + ":" + string(h.Topic) + ":" + h.Secret.String()
}

// ParseHook reads name=kind:secret or name=kind:topic:secret. A secret has no
// colon, so that a mistyped topic cannot silently become a part of it. Errors do
// not show what was given.
func ParseHook(s string) (Hook, error) {
	name, rest, ok := strings.Cut(s, "=")
	parts := strings.Split(rest, ":")
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return Hook{}, errors.New("a webhook must be name=kind:secret or name=kind:topic:secret, and its secret without ':' and ','")
	}
	if name == "" || len(name) > maxHookName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return Hook{}, fmt.Errorf("a webhook's name must be 1 to %d of a-z, 0-9 and '-'", maxHookName)
	}
	h := Hook{Name: name, Kind: parts[0], Secret: telemetry.Secret(parts[len(parts)-1])}
	switch h.Kind {
	case HookGitHub, HookAlertmanager, HookHMAC:
	default:
		return Hook{}, fmt.Errorf("webhook %s: the kind must be %s, %s or %s", name, HookGitHub, HookAlertmanager, HookHMAC)
	}
	if len(parts) == 3 {
		topic, err := subject.ParseTopic(parts[1])
		if err != nil {
			return Hook{}, fmt.Errorf("webhook %s: the topic must be room.<name>, user.<id> or all", name)
		}
		h.Topic = topic
	}
	if len(h.Secret) < minHookSecret {
		return Hook{}, fmt.Errorf("webhook %s: the secret must have at least %d bytes", name, minHookSecret)
	}
	return h, nil
}
