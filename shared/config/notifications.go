package config

import (
	"errors"
	"net/mail"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"tidings/shared/telemetry"
)

// Bounds of the settings of notifications.
const (
	// minMailSecret is the fewest bytes of a secret that seals: who guesses it from a link
	// may unsubscribe everybody.
	minMailSecret = 32
	// maxInboxItems bounds an inbox: all of it is read at once.
	maxInboxItems = 250
	// minNotificationsAge is longer than a delivery may take with all its attempts.
	minNotificationsAge = 48 * time.Hour
	// minMailRetry keeps a provider in trouble from being hammered, maxMailRetry is where
	// the pauses end.
	minMailRetry, maxMailRetry = 100 * time.Millisecond, 6 * time.Hour
)

// errDKIM says how a key is written.
var errDKIM = errors.New("must be domain=selector:file")

// notifications checks what belongs to notifications and mail.
func (v *validator) notifications() {
	s := v.s
	v.mail()
	v.bounces()
	v.directory("templates", s.Templates)
	v.address("mailbox", s.Mailbox, true)
	if s.InboxItems < 1 || s.InboxItems > maxInboxItems {
		v.fault("inbox-items", strconv.Itoa(s.InboxItems)+" must be 1 to "+strconv.Itoa(maxInboxItems))
	}
	if s.InboxAge < time.Hour || s.InboxAge > 10*maxAge {
		v.fault("inbox-age", s.InboxAge.String()+" must be an hour to ten years")
	}
	if s.NotificationsAge < minNotificationsAge || s.NotificationsAge > maxAge {
		v.fault("notifications-age", s.NotificationsAge.String()+" must be two days to a year")
	}
}

// mail checks who mails are from, what signs them and where their links lead.
func (v *validator) mail() {
	s := v.s
	for _, f := range [][2]string{{"mail-from", s.MailFrom}, {"mail-reply-to", s.MailReplyTo}} {
		if _, err := mail.ParseAddress(f[1]); f[1] != "" && err != nil {
			v.fault(f[0], shown(f[1])+" is no address; write Example <hello@example.com>")
		}
	}
	for _, f := range [][2]string{{"public-url", s.PublicURL}, {"app-url", s.AppURL}, {"preferences-url", s.PreferencesURL}} {
		if f[1] != "" && !safeURL(f[1]) {
			v.fault(f[0], shown(f[1])+" must be an https:// URL, or http:// on this machine")
		}
	}
	v.domain("mail-domain", s.MailDomain)
	if s.MailRetry < minMailRetry || s.MailRetry > maxMailRetry {
		v.fault("mail-retry", s.MailRetry.String()+" must be "+minMailRetry.String()+" to "+maxMailRetry.String())
	}
	for _, f := range [][2]string{{"mail-per-domain", s.MailPerDomain}, {"mail-per-recipient", s.MailPerRecipient}} {
		if _, err := ParseRate(f[1]); err != nil {
			v.fault(f[0], shown(f[1])+" "+err.Error())
		}
	}
	for _, key := range s.DKIM {
		if _, err := ParseDKIM(key); err != nil {
			v.fault("dkim", shown(key)+" "+err.Error())
		}
	}
	if len(s.MailSecrets) > 0 && s.PublicURL == "" && s.BounceDomain == "" {
		v.fault("mail-secrets", "needs public-url, where links to unsubscribe lead, or bounce-domain, where mails return")
	}
	for i, secret := range s.MailSecrets {
		if len(secret.Reveal()) < minMailSecret {
			v.fault("mail-secrets", "number "+strconv.Itoa(i+1)+" has under "+strconv.Itoa(minMailSecret)+" bytes")
		}
	}
}

// bounces checks the ways by which mails come back.
func (v *validator) bounces() {
	s := v.s
	v.domain("bounce-domain", s.BounceDomain)
	v.directory("bounce-maildir", s.BounceMaildir)
	v.address("bounce-listen", s.BounceListen, true)
	for i, hook := range s.BounceHooks {
		if _, err := ParseBounceHook(hook); err != nil {
			v.fault("bounce-hooks", "number "+strconv.Itoa(i+1)+" "+err.Error())
		}
	}
	if s.BounceDomain != "" && len(s.MailSecrets) == 0 {
		v.fault("bounce-domain", "needs mail-secrets, which seal the return paths at it")
	}
	if (s.BounceListen != "" || s.BounceMaildir != "" || len(s.BounceHooks) > 0) && (s.BounceDomain == "" || len(s.MailSecrets) == 0) {
		v.fault("bounce-domain", "and mail-secrets must be set for bounces to be taken: without return paths of our own nobody could tell them from forged ones")
	}
}

// safeURL reports whether s is an address that may be shown to people.
func safeURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

func (v *validator) domain(name, value string) {
	if u, err := url.Parse("https://" + value); value != "" && (err != nil || u.Host != value || u.Port() != "") {
		v.fault(name, shown(value)+" is no domain")
	}
}

func (v *validator) directory(name, dir string) {
	if info, err := os.Stat(dir); dir != "" && (err != nil || !info.IsDir()) {
		v.fault(name, shown(dir)+" is no directory that can be read")
	}
}

// Rate is how many of something there may be in a time; the zero Rate is any number.
type Rate struct {
	Count int
	Per   time.Duration
}

// errRate says how a rate is written.
var errRate = errors.New("must be COUNT/TIME, such as 600/1h: 1 to 1000000 in 1s to 24h")

// ParseRate reads COUNT/TIME; "" is the zero Rate.
func ParseRate(s string) (Rate, error) {
	if s == "" {
		return Rate{}, nil
	}
	count, per, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	d, err2 := time.ParseDuration(per)
	if err != nil || err2 != nil || n < 1 || n > 1_000_000 || d < time.Second || d > 24*time.Hour {
		return Rate{}, errRate
	}
	return Rate{n, d}, nil
}

// DKIM is a key that signs mails of a domain.
type DKIM struct{ Domain, Selector, File string }

// ParseDKIM reads domain=selector:file.
func ParseDKIM(s string) (DKIM, error) {
	domain, rest, ok := strings.Cut(s, "=")
	selector, file, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || domain == "" || selector == "" || file == "" {
		return DKIM{}, errDKIM
	}
	return DKIM{domain, selector, file}, nil
}

// BounceHook is a provider that reports bounces.
type BounceHook struct {
	// Name is the last part of its path, Kind how it signs.
	Name, Kind string
	// Secret is what it signs with, or the key that verifies it.
	Secret telemetry.Secret
}

// errBounceHook says how a provider is written.
var errBounceHook = errors.New("must be name=kind:secret")

// ParseBounceHook reads name=kind:secret. What the parts may be is for the mailer to say.
func ParseBounceHook(s telemetry.Secret) (BounceHook, error) {
	name, rest, ok := strings.Cut(s.Reveal(), "=")
	kind, secret, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || name == "" || kind == "" || secret == "" {
		return BounceHook{}, errBounceHook
	}
	return BounceHook{name, kind, telemetry.Secret(secret)}, nil
}
