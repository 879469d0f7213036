package route

import (
	"slices"
	"strconv"
	"time"
)

// Bounds of digests.
const (
	// DefaultCap is how many notifications a digest holds unless it says otherwise:
	// more than that nobody reads in one mail.
	DefaultCap = 100
	// maxCap bounds Cap: a digest has to fit into one job.
	maxCap = 200
	// minWindow keeps a digest from being a slow way to send each.
	minWindow = 60
	// maxWindow is a week; what is older is no news.
	maxWindow = 7 * 24 * 3600
	// overflowWindow collects what a throttle does not let pass where the category has
	// no digest: long enough to be one mail, short enough to be told the same day.
	overflowWindow = 3600
)

// Digest says how long notifications of a category are collected before they are
// sent as one. The zero value does not collect.
type Digest struct {
	// WindowSeconds is the longest time that the first one waits.
	WindowSeconds int `json:"window_s,omitempty"`
	// DebounceSeconds sends the digest earlier, when nothing has come for so long; 0 does not.
	DebounceSeconds int `json:"debounce_s,omitempty"`
	// Cap sends the digest at once when it holds so many; 0 is DefaultCap.
	Cap int `json:"cap,omitempty"`
}

// collects reports whether d is more than the zero value.
func (d Digest) collects() bool { return d.WindowSeconds > 0 }

func (d Digest) most() int {
	if d.Cap > 0 {
		return d.Cap
	}
	return DefaultCap
}

func (d Digest) check(f *faults, prefix string) {
	if d == (Digest{}) {
		return
	}
	if d.WindowSeconds < minWindow || d.WindowSeconds > maxWindow {
		f.add(prefix+"window_s", CodeBadValue, "must be %d to %d seconds, or all of the digest 0 for none", minWindow, maxWindow)
	}
	if d.DebounceSeconds < 0 || d.DebounceSeconds > max(d.WindowSeconds, 0) {
		f.add(prefix+"debounce_s", CodeBadValue, "must be 0 to the seconds of the window")
	}
	if d.Cap < 0 || d.Cap == 1 || d.Cap > maxCap {
		f.add(prefix+"cap", CodeBadValue, "must be 2 to %d, or 0 for %d", maxCap, DefaultCap)
	}
}

// FlushAt returns when the digest s is to be sent, or the zero time if it is empty:
// at the end of the window, or after the pause, or when it is full, whatever is first.
func (d Digest) FlushAt(s Collected) time.Time {
	if s.Count == 0 {
		return time.Time{}
	}
	if s.Count >= d.most() {
		return s.Last
	}
	flush := s.First.Add(time.Duration(d.WindowSeconds) * time.Second)
	if d.DebounceSeconds > 0 {
		if pause := s.Last.Add(time.Duration(d.DebounceSeconds) * time.Second); pause.Before(flush) {
			return pause
		}
	}
	return flush
}

// Collected is a digest that is being filled: one per person, category and channel.
// It is a plain value; the zero value is an empty digest.
type Collected struct {
	// Serial counts the digests of this person, category and channel.
	Serial int `json:"serial,omitempty"`
	// First and Last are when the first and the latest notification came.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Count is how many it holds, replaced ones not counted.
	Count int `json:"count,omitempty"`
	// Collapse are the collapse keys it holds, each once.
	Collapse []string `json:"collapse,omitempty"`
}

// add returns s with one more notification. One with a collapse key that is there
// already takes that one's place. s stays as it is.
func (s Collected) add(collapse string, now time.Time) Collected {
	next := s
	next.Last = now
	if next.Count == 0 {
		next.First = now
	}
	if collapse != "" {
		if slices.Contains(s.Collapse, collapse) {
			return next
		}
		next.Collapse = append(slices.Clone(s.Collapse), collapse)
	}
	next.Count++
	return next
}

// join adds a notification to the digest s, or to the next one where s is full or due.
// hold moves a flush out of quiet hours. It returns the digest and when it is sent.
func (d Digest) join(s Collected, collapse string, now time.Time, hold func(time.Time) time.Time) (Collected, time.Time) {
	if s.Count > 0 && (s.Count >= d.most() || !hold(d.FlushAt(s)).After(now)) {
		// Its flush may be on its way and must not lose what comes now.
		s = Collected{Serial: s.Serial + 1}
	}
	next := s.add(collapse, now)
	return next, hold(d.FlushAt(next))
}

// DigestID names the digest that s is, the same for all that it collects. It serves
// as the id of the notification that is made of it, so its job key is stable too.
func DigestID(user, category string, c Channel, s Collected) string {
	return "digest-" + hash("tidings.digest.1", user, category, string(c), strconv.Itoa(s.Serial), strconv.FormatInt(s.First.UnixNano(), 10))
}
