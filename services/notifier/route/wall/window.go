package wall

import "time"

// maxHolds bounds the walk out of windows that touch each other: seven of them on
// every day of two weeks, since a change of the clocks can swallow the one free hour
// of the first.
const maxHolds = 14 * 7

// Window is hours that repeat, such as every night's. It is sound if From and To are
// times of day, From is not "24:00" and they differ; one that is not never occurs.
type Window struct {
	// From is when it begins, inclusively.
	From Clock `json:"from"`
	// To is when it ends, exclusively. If it is not after From, that is the next day.
	To Clock `json:"to"`
	// Days are the days on which it begins; none means every day.
	Days []Weekday `json:"days,omitempty"`
	// TZ is the zone of the times; empty is that of whoever it belongs to.
	TZ string `json:"tz,omitempty"`
}

// span returns begin and length in minutes, or false if w is not sound.
func (w Window) span() (begin, length int, ok bool) {
	from, ok1 := w.From.Minutes()
	to, ok2 := w.To.Minutes()
	if !ok1 || !ok2 || from == to || from == MinutesADay {
		return 0, 0, false
	}
	if to < from {
		to += MinutesADay
	}
	return from, to - from, true
}

// on reports whether one of days, or any if there are none, is the given one.
func on(days []Weekday, day time.Weekday) bool {
	for _, w := range days {
		if d, ok := w.Day(); ok && d == day {
			return true
		}
	}
	return len(days) == 0
}

// end returns when the occurrence of w that holds t is over, or false if none does.
func (w Window) end(t time.Time, loc *time.Location) (time.Time, bool) {
	begin, length, ok := w.span()
	if !ok {
		return time.Time{}, false
	}
	today := DayOf(t, loc)
	// Windows are shorter than two days, but a day can be up to two long where the
	// date line moves.
	for back := -2; back <= 1; back++ {
		day := today.Plus(back)
		if !on(w.Days, day.Weekday()) {
			continue
		}
		from, _ := day.At(begin, loc)
		_, to := day.At(begin+length, loc)
		if !t.Before(from) && t.Before(to) {
			return to, true
		}
	}
	return time.Time{}, false
}

// Windows are hours that repeat, together.
type Windows []Window

// Hours are Windows whose zones were found, to be asked more than once: to find a zone
// means to read a file. The zero value has no windows.
type Hours struct {
	windows Windows
	zones   []*time.Location
}

// Release asks w once; see In and Hours.Release.
func (w Windows) Release(t time.Time, home string) time.Time { return w.In(home).Release(t) }

// Release returns the first moment from t on that is in none of the windows: t itself,
// or right when the window it is in ends. Windows that never end, which leave nothing
// Free, hold nothing.
func (h Hours) Release(t time.Time) time.Time {
	out := t
	for range maxHolds {
		held := false
		for i := range h.windows {
			if end, ok := h.windows[i].end(out, h.zones[i]); ok {
				out, held = end, true
			}
		}
		if !held {
			return out
		}
	}
	return t
}

// In finds the zones. home names that of windows without one. A zone that has gone
// from the database is taken for home's, and that for UTC: to be some hours off is
// better than to do without.
func (w Windows) In(home string) Hours {
	if len(w) == 0 {
		return Hours{}
	}
	fallback, err := Zone(home)
	if err != nil {
		fallback = time.UTC
	}
	zones := make([]*time.Location, len(w))
	for i := range w {
		zones[i] = fallback
		if w[i].TZ == "" {
			continue
		}
		if own, err := Zone(w[i].TZ); err == nil {
			zones[i] = own
		}
	}
	return Hours{w, zones}
}

// Free counts the minutes of an ordinary week that are in none of the windows, zones
// not regarded.
func (w Windows) Free() int {
	var taken [7 * MinutesADay]bool
	for i := range w {
		begin, length, _ := w[i].span()
		for day := range 7 {
			if !on(w[i].Days, time.Weekday(day)) {
				continue
			}
			for m := range length {
				taken[(day*MinutesADay+begin+m)%len(taken)] = true
			}
		}
	}
	n := 0
	for _, t := range taken {
		if !t {
			n++
		}
	}
	return n
}
