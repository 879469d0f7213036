package wall

import (
	"errors"
	"strings"
	"time"

	// A container without a zone database must not turn everyone's night into UTC's,
	// so the program carries one for that case.
	_ "time/tzdata"
)

const (
	// maxZone bounds the name of a zone in bytes; the longest there is has 32.
	maxZone = 64
	// MinutesADay is the last minute of Clock, "24:00".
	MinutesADay = 24 * 60
	// widestOffset is more than any zone was ever away from UTC.
	widestOffset = 16 * time.Hour
)

// ErrZone says that a name is not in the zone database.
var ErrZone = errors.New("unknown time zone")

// Zone finds a time zone by name; empty is UTC. "Local" is refused: what is meant by
// it depends on the machine. The error is ErrZone.
func Zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/_+-", r)
	}
	if len(name) > maxZone || name == "Local" || strings.ContainsFunc(name, odd) {
		return nil, ErrZone
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, ErrZone // the cause names files, which are nobody's business
	}
	return loc, nil
}

// Clock is a time of day written like "22:30", from "00:00" to "24:00".
type Clock string

// Minutes returns the minutes since midnight, or false if c is no time of day.
func (c Clock) Minutes() (int, bool) {
	if len(c) != 5 || c[2] != ':' {
		return 0, false
	}
	for _, i := range [...]int{0, 1, 3, 4} {
		if c[i] < '0' || c[i] > '9' {
			return 0, false
		}
	}
	h, m := int(c[0]-'0')*10+int(c[1]-'0'), int(c[3]-'0')*10+int(c[4]-'0')
	return h*60 + m, m < 60 && h*60+m <= MinutesADay
}

// Weekday is a day of the week written like "mon".
type Weekday string

// Day returns the weekday, or false if w is none.
func (w Weekday) Day() (time.Weekday, bool) {
	switch w {
	case "sun":
		return time.Sunday, true
	case "mon":
		return time.Monday, true
	case "tue":
		return time.Tuesday, true
	case "wed":
		return time.Wednesday, true
	case "thu":
		return time.Thursday, true
	case "fri":
		return time.Friday, true
	case "sat":
		return time.Saturday, true
	}
	return 0, false
}

// Day is midnight of a day as if it were UTC: a calendar day without a place.
type Day struct{ t time.Time }

// DayOf returns the day that t has in loc.
func DayOf(t time.Time, loc *time.Location) Day {
	y, m, d := t.In(loc).Date()
	return Day{time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
}

// Weekday returns the day of the week.
func (d Day) Weekday() time.Weekday { return d.t.Weekday() }

// Plus returns the day n days later.
func (d Day) Plus(n int) Day { return Day{d.t.AddDate(0, 0, n)} }

// At returns the first and the last moment at which clocks in loc show the given
// minute of the day. They differ while clocks are set back. A time of day that is
// skipped is the moment of the change. time.Date leaves both cases open, which is
// why it is not used.
func (d Day) At(minute int, loc *time.Location) (first, last time.Time) {
	local := d.t.Add(time.Duration(minute) * time.Minute)
	before := time.Time{} // the end of a period in which the time was still to come
	for t := local.Add(-widestOffset).In(loc); ; {
		from, to := t.ZoneBounds()
		_, offset := t.Zone()
		moment := local.Add(-time.Duration(offset) * time.Second)
		early := !from.IsZero() && moment.Before(from)
		late := !to.IsZero() && !moment.Before(to)
		switch {
		case !early && !late:
			if first.IsZero() {
				first = moment
			}
			last = moment
		case early && first.IsZero() && !before.IsZero():
			return before.UTC(), before.UTC()
		}
		if late {
			before = to
		}
		if to.IsZero() || to.After(local.Add(widestOffset)) {
			return first.UTC(), last.UTC()
		}
		t = to
	}
}
