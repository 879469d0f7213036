package route

import "slices"

// Channel is a way to reach a person. The values are part of the API and of stored data.
type Channel string

// The channels.
const (
	// Inbox is the list in the application. It makes no sound, so quiet hours don't hold it.
	Inbox Channel = "inbox"
	// Mail is one e-mail per person.
	Mail Channel = "mail"
	// Push is web push to all of a person's devices.
	Push Channel = "push"
	// SMS is a text message.
	SMS Channel = "sms"
	// Hook is a signed request to an endpoint that the category names.
	Hook Channel = "hook"
)

// Channels returns every channel, in the order of Route's answer.
func Channels() []Channel { return []Channel{Inbox, Mail, Push, SMS, Hook} }

// known reports whether c is a channel.
func (c Channel) known() bool { return slices.Contains(Channels(), c) }

// disturbs reports whether the channel can wake somebody: what quiet hours hold,
// muting drops and digests collect.
func (c Channel) disturbs() bool { return c == Mail || c == Push || c == SMS }

// Severity is how much a notification matters.
type Severity string

// The severities.
const (
	// Low may arrive late.
	Low Severity = "low"
	// Normal is the severity of a notification that names none.
	Normal Severity = "normal"
	// High asks for attention and obeys preferences all the same.
	High Severity = "high"
	// Critical passes preferences, mutes, quiet hours, digests and throttles. It does
	// not pass suppression: an address that bounces or opted out stays untouched.
	Critical Severity = "critical"
)

// known reports whether s is a severity.
func (s Severity) known() bool { return s == Low || s == Normal || s == High || s == Critical }
