package route

import (
	"strconv"

	"tidings/services/notifier/route/wall"
)

const (
	// MaxQuiet bounds the quiet hours of a person: one for each day.
	MaxQuiet = 7
	// minFree is how many minutes of a week quiet hours must leave. Less would hold
	// everything for ever, and that is to turn it off.
	minFree = 60
)

// quietHours notes the faults of a person's quiet hours.
func (f *faults) quietHours(param string, hours wall.Windows) {
	if len(hours) > MaxQuiet {
		f.add(param, CodeTooMany, "has over %d entries", MaxQuiet)
		return
	}
	before := f.count()
	for i, w := range hours {
		at := param + "[" + strconv.Itoa(i) + "]."
		f.window(at, w)
		if w.TZ != hours[0].TZ {
			// Whether hours in several zones leave any time depends on the season.
			f.add(at+"tz", CodeBadZone, "must be the same for all")
		}
	}
	if f.count() == before && hours.Free() < minFree {
		f.add(param, CodeAlwaysQuiet, "must leave at least %d minutes a week: to get nothing, turn channels off", minFree)
	}
}

// window notes the faults of one entry.
func (f *faults) window(prefix string, w wall.Window) {
	if from, ok := w.From.Minutes(); !ok || from == wall.MinutesADay {
		f.add(prefix+"from", CodeBadTime, "must be a time of day like 22:00")
	}
	if _, ok := w.To.Minutes(); !ok {
		f.add(prefix+"to", CodeBadTime, "must be a time of day like 07:00")
	} else if w.To == w.From {
		f.add(prefix+"to", CodeBadTime, "is the same as \"from\": write 00:00 and 24:00 for a whole day")
	}
	seen := map[wall.Weekday]bool{}
	for i, d := range w.Days {
		param := prefix + "days[" + strconv.Itoa(i) + "]"
		if _, ok := d.Day(); !ok {
			f.add(param, CodeBadValue, "must be mon, tue, wed, thu, fri, sat or sun")
		} else if seen[d] {
			f.add(param, CodeDuplicate, "is there twice")
		}
		seen[d] = true
	}
	f.zone(prefix+"tz", w.TZ)
}
