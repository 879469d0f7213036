package route

// Reason says for programs why a delivery is as it is. The values are part of the
// API and of stored timelines and never change.
type Reason string

// Reasons for a delivery that goes now.
const (
	// ByDefault: the category uses the channel and the person did not object.
	ByDefault Reason = "default"
	// ByChannel: the person turned the channel on.
	ByChannel Reason = "channel_on"
	// ByCategory: the person turned the channel on for this category.
	ByCategory Reason = "category_channel_on"
	// ByCritical: it is critical, so nothing holds it.
	ByCritical Reason = "critical"
)

// Reasons for a delivery that waits.
const (
	// Scheduled: the sender asked for a later time.
	Scheduled Reason = "scheduled"
	// InQuietHours: it waits for the end of quiet hours.
	InQuietHours Reason = "quiet_hours"
	// InDigest: the person or the category collects these.
	InDigest Reason = "digest"
	// Throttled: there were too many, so it joins the digest.
	Throttled Reason = "throttled"
)

// Reasons for a channel that is not used.
const (
	// AllOff: the person turned everything off.
	AllOff Reason = "all_off"
	// CategoryOff: the person turned the category off.
	CategoryOff Reason = "category_off"
	// CategoryChannelOff: the person turned the channel off for this category.
	CategoryChannelOff Reason = "category_channel_off"
	// ChannelOff: the person turned the channel off.
	ChannelOff Reason = "channel_off"
	// NotDefault: the category does not use the channel and the person did not ask for it.
	NotDefault Reason = "not_default"
	// Unavailable: this installation has nobody to send over the channel.
	Unavailable Reason = "unavailable"
	// Unreadable: what is stored about the person cannot be read.
	Unreadable Reason = "unreadable"
	// NoAddress: there is no address for the channel.
	NoAddress Reason = "no_address"
	// Muted: the person muted everything for now.
	Muted Reason = "muted"
	// CategoryMuted: the person muted the category for now.
	CategoryMuted Reason = "category_muted"
	// Expired: it expired before.
	Expired Reason = "expired"
	// ExpiresFirst: it would expire while it waits.
	ExpiresFirst Reason = "expires_first"
	// AddressBounced: the address does not exist.
	AddressBounced Reason = "suppressed_bounced"
	// AddressComplained: the person called us spam.
	AddressComplained Reason = "suppressed_complained"
	// AddressUnsubscribed: the person unsubscribed.
	AddressUnsubscribed Reason = "suppressed_unsubscribed"
	// AddressOptedOut: the person withdrew their consent.
	AddressOptedOut Reason = "suppressed_opted_out"
	// AddressBlocked: an operator blocked the address.
	AddressBlocked Reason = "suppressed_blocked"
)

// Why explains r to the person; it names no address, since timelines are read
// by operators too.
func (r Reason) Why() string {
	switch r {
	case ByDefault:
		return "The category uses this channel by default."
	case ByChannel:
		return "The person turned this channel on."
	case ByCategory:
		return "The person turned this channel on for the category."
	case ByCritical:
		return "It is critical, so preferences, mutes, quiet hours, digests and throttles do not hold it."
	case Scheduled:
		return "The sender asked for a later time."
	case InQuietHours:
		return "It waits for the end of the person's quiet hours."
	case InDigest:
		return "It is collected in the digest of its category."
	case Throttled:
		return "There were too many of its category, so it joins the digest."
	default:
		return r.refusal()
	}
}

// refusal is Why for channels that are not used.
func (r Reason) refusal() string {
	switch r {
	case AllOff:
		return "The person turned all notifications off."
	case CategoryOff:
		return "The person turned the category off."
	case CategoryChannelOff:
		return "The person turned this channel off for the category."
	case ChannelOff:
		return "The person turned this channel off."
	case NotDefault:
		return "The category does not use this channel, and the person did not ask for it."
	case Unavailable:
		return "This channel is not set up here."
	case Unreadable:
		return "What is stored about the person cannot be read."
	case NoAddress:
		return "There is no address for this channel."
	case Muted:
		return "The person muted all notifications for now."
	case CategoryMuted:
		return "The person muted the category for now."
	case Expired:
		return "It had expired."
	case ExpiresFirst:
		return "It would expire before it could be delivered."
	case AddressBounced:
		return "The address does not accept messages."
	case AddressComplained:
		return "The person reported an earlier message as spam."
	case AddressUnsubscribed:
		return "The person unsubscribed."
	case AddressOptedOut:
		return "The person withdrew their consent."
	default: // AddressBlocked
		return "The address is blocked."
	}
}

// suppression is the reason that goes with a cause.
func suppression(c Cause) Reason {
	switch c {
	case Bounced:
		return AddressBounced
	case Complained:
		return AddressComplained
	case Unsubscribed:
		return AddressUnsubscribed
	case OptedOut:
		return AddressOptedOut
	default: // Blocked, and what a later release may have stored
		return AddressBlocked
	}
}
