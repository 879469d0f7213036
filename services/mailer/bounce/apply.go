package bounce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tidings/shared/suppress"
)

const (
	// DefaultSoft is how many soft bounces within DefaultWindow suppress an address: a
	// mailbox that is full for a week is not read any more.
	DefaultSoft = 5
	// DefaultWindow is over how long soft bounces are counted.
	DefaultWindow = 7 * 24 * time.Hour
	// channel is that of all addresses and notes here.
	channel = suppress.ChannelMail
)

// ErrUnproven says that a report may be forged: nothing shows to whom the mail went.
var ErrUnproven = errors.New("the report is not proven")

// List is the part of suppress.List that an Applier needs.
type List interface {
	// AddHashed is suppress.List's.
	AddHashed(ctx context.Context, channel, hash string, e suppress.Entry) error
	// Strike is suppress.List's.
	Strike(ctx context.Context, channel, hash, id string, window time.Duration) (int, error)
}

// Note is what the timeline of a notification is told.
type Note struct {
	// Part names the note within the notification: the same one twice is one.
	Part string
	// User is whom the mail was for, "" if that is not known.
	User string
	// Channel is "mail", Key the job's.
	Channel, Key string
	// Reason is "bounced", "bounced_soft", "refused", "delayed", "delivered" or
	// "complained".
	Reason string
	// Detail is what the other server said, without addresses.
	Detail string
	// At is when.
	At time.Time
}

// Timeline takes notes about notifications.
type Timeline interface {
	// Note stores a note once. It returns nil if there is no such notification any more.
	Note(ctx context.Context, notification string, n Note) error
}

// ApplyConfig is what an Applier needs.
type ApplyConfig struct {
	// List is where addresses are suppressed.
	List List
	// Timeline is told what happened. Nil means nobody.
	Timeline Timeline
	// Soft is how many soft bounces within Window suppress an address; 0 means
	// DefaultSoft and DefaultWindow. At most suppress.MaxStrikes and MaxWindow.
	Soft   int
	Window time.Duration
}

// Applier does what follows from reports.
type Applier struct {
	cfg ApplyConfig
}

// NewApplier returns an Applier, or an error if the configuration is at fault.
func NewApplier(cfg ApplyConfig) (*Applier, error) {
	if cfg.Soft == 0 {
		cfg.Soft = DefaultSoft
	}
	if cfg.Window == 0 {
		cfg.Window = DefaultWindow
	}
	switch {
	case cfg.List == nil:
		return nil, errors.New("bounce: no suppression list")
	case cfg.Soft < 1 || cfg.Soft > suppress.MaxStrikes:
		return nil, fmt.Errorf("bounce: an address is suppressed after 1 to %d soft bounces, not %d", suppress.MaxStrikes, cfg.Soft)
	case cfg.Window < time.Hour || cfg.Window > suppress.MaxWindow:
		return nil, fmt.Errorf("bounce: soft bounces are counted over 1h to %v, not %v", suppress.MaxWindow, cfg.Window)
	}
	return &Applier{cfg}, nil
}

// Apply suppresses the address if the report says so and notes it in the timeline. It
// is idempotent, and should be called again after an error, which wraps ErrUnproven or
// those of the list and the timeline. An unproven report never gets better.
func (a *Applier) Apply(ctx context.Context, r Report) error {
	if r.AddressHash == "" {
		return ErrUnproven
	}
	reason, err := a.suppress(ctx, r)
	if err != nil {
		return err
	}
	if a.cfg.Timeline == nil || r.Notification == "" {
		return nil // a return path proves the job and not its notification
	}
	n := Note{Part: reason + ":" + idOf(r), Channel: channel, Key: r.Key, Reason: reason, Detail: detailOf(r), At: atOf(r, time.Now())}
	if err := a.cfg.Timeline.Note(ctx, r.Notification, n); err != nil {
		return fmt.Errorf("note a bounce: %w", err)
	}
	return nil
}

// suppress changes the list and returns the reason for the timeline.
func (a *Applier) suppress(ctx context.Context, r Report) (reason string, err error) {
	e := suppress.Entry{Cause: suppress.Bounced, At: atOf(r, time.Now()), Detail: detailOf(r)}
	reason = "bounced"
	switch r.Kind {
	case Hard:
	case Complaint:
		e.Cause, reason = suppress.Complained, "complained"
	case Soft:
		n, err := a.cfg.List.Strike(ctx, channel, r.AddressHash, idOf(r), a.cfg.Window)
		if err != nil {
			return "", fmt.Errorf("count a soft bounce: %w", err)
		}
		if n < a.cfg.Soft {
			return "bounced_soft", nil
		}
	case Refused, Delayed, Delivered:
		return string(r.Kind), nil
	default:
		return "", fmt.Errorf("%w: no such kind", ErrUnproven)
	}
	if err := a.cfg.List.AddHashed(ctx, channel, r.AddressHash, e); err != nil {
		return "", fmt.Errorf("suppress after a bounce: %w", err)
	}
	return reason, nil
}

// idOf names the mail of a report, so that one that is read twice counts once.
func idOf(r Report) string {
	switch {
	case r.Key != "":
		return r.Key
	case r.MessageID != "":
		return letters(seal("", r.MessageID)) // any length and any characters
	}
	return atOf(r, time.Now()).UTC().Format(time.RFC3339)
}
