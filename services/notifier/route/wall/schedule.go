package wall

import (
	"errors"
	"fmt"
	"time"
)

const (
	// minInterval keeps a schedule from being a load test, in seconds.
	minInterval = 60
	// maxInterval is a year, in seconds.
	maxInterval = 366 * 24 * 3600
)

// ErrSchedule says that a schedule is not sound; errors of Check wrap it.
var ErrSchedule = errors.New("bad schedule")

// Every is what a schedule repeats by.
type Every string

// The repetitions.
const (
	// EveryDay comes each day at At.
	EveryDay Every = "day"
	// EveryWeek comes on Days at At.
	EveryWeek Every = "week"
	// EveryMonth comes on MonthDay at At, on the last day of months that are shorter.
	EveryMonth Every = "month"
	// EveryInterval comes each Seconds from Start on, whatever the clocks show.
	EveryInterval Every = "interval"
)

// Schedule says when something recurs.
type Schedule struct {
	// Every says which of the fields count.
	Every Every `json:"every"`
	// At is the time of day, for all but intervals.
	At Clock `json:"at,omitempty"`
	// Days are the days of a week.
	Days []Weekday `json:"days,omitempty"`
	// MonthDay is the day of a month, 1 to 31.
	MonthDay int `json:"month_day,omitempty"`
	// Seconds is the length of an interval.
	Seconds int64 `json:"seconds,omitempty"`
	// Start is when the first interval comes, in whole seconds.
	Start time.Time `json:"start,omitzero"`
	// TZ is the zone of At; empty is UTC.
	TZ string `json:"tz,omitempty"`
}

// Check reports every fault of s; each wraps ErrSchedule and names the field.
func (s Schedule) Check() error {
	var faults []error
	add := func(field, what string) { faults = append(faults, fmt.Errorf("%w: %s %s", ErrSchedule, field, what)) }
	if _, err := Zone(s.TZ); err != nil {
		add("tz", "is not a time zone like Europe/Vienna")
	}
	if minutes, ok := s.At.Minutes(); s.Every != EveryInterval && (!ok || minutes == MinutesADay) {
		add("at", "must be a time of day like 09:00")
	}
	switch s.Every {
	case EveryDay:
	case EveryWeek:
		if len(s.Days) == 0 || len(s.Days) > 7 {
			add("days", "must name 1 to 7 days")
		}
		for _, w := range s.Days {
			if _, ok := w.Day(); !ok {
				add("days", "must be mon, tue, wed, thu, fri, sat or sun")
				break
			}
		}
	case EveryMonth:
		if s.MonthDay < 1 || s.MonthDay > 31 {
			add("month_day", "must be 1 to 31")
		}
	case EveryInterval:
		if s.Seconds < minInterval || s.Seconds > maxInterval {
			add("seconds", fmt.Sprintf("must be %d to %d", minInterval, maxInterval))
		}
	default:
		add("every", "must be day, week, month or interval")
	}
	return errors.Join(faults...)
}

// Next returns the first time after after at which s comes, in UTC. It is the zero
// time if s is not sound.
func (s Schedule) Next(after time.Time) time.Time {
	if s.Check() != nil {
		return time.Time{}
	}
	if s.Every == EveryInterval {
		return s.interval(after)
	}
	loc, err := Zone(s.TZ)
	if err != nil {
		return time.Time{}
	}
	minute, _ := s.At.Minutes()
	today := DayOf(after, loc)
	// One day back for a day that the zone skipped; two months ahead hold all that
	// comes monthly.
	for n := -1; n <= 63; n++ {
		day := today.Plus(n)
		if !s.day(day) {
			continue
		}
		if first, _ := day.At(minute, loc); first.After(after) {
			return first
		}
	}
	return time.Time{}
}

// day reports whether s comes on d.
func (s Schedule) day(d Day) bool {
	switch s.Every {
	case EveryWeek:
		return on(s.Days, d.Weekday())
	case EveryMonth:
		last := d.Plus(1).t.Day() == 1
		return d.t.Day() == s.MonthDay || last && d.t.Day() < s.MonthDay
	default:
		return true
	}
}

// interval counts in seconds since 1970, for a time.Duration ends after 292 years.
func (s Schedule) interval(after time.Time) time.Time {
	start := s.Start.Unix()
	if after.Unix() < start {
		return time.Unix(start, 0).UTC()
	}
	passed := (after.Unix() - start) / s.Seconds
	return time.Unix(start+(passed+1)*s.Seconds, 0).UTC()
}
