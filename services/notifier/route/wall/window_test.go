package wall_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"tidings/services/notifier/route/wall"
)

func TestRelease(t *testing.T) {
	t.Parallel()
	night := wall.Window{From: "22:00", To: "07:00"}
	weekdays := []wall.Weekday{"mon", "tue", "wed", "thu", "fri"}
	for _, c := range []struct {
		name     string
		windows  wall.Windows
		tz       string
		at, want string
	}{
		{"none", nil, "Europe/Berlin", "2026-01-10T23:00:00Z", "2026-01-10T23:00:00Z"},
		{"before", wall.Windows{night}, "", "2026-01-10T21:59:59Z", "2026-01-10T21:59:59Z"},
		{"begins inclusively", wall.Windows{night}, "", "2026-01-10T22:00:00Z", "2026-01-11T07:00:00Z"},
		{"after midnight", wall.Windows{night}, "", "2026-01-11T03:00:00Z", "2026-01-11T07:00:00Z"},
		{"ends exclusively", wall.Windows{night}, "", "2026-01-11T07:00:00Z", "2026-01-11T07:00:00Z"},
		{"last nanosecond", wall.Windows{night}, "", "2026-01-11T06:59:59.999999999Z", "2026-01-11T07:00:00Z"},
		{"within a day", wall.Windows{{From: "12:00", To: "13:30"}}, "", "2026-01-11T12:10:00Z", "2026-01-11T13:30:00Z"},
		{"whole day", wall.Windows{{From: "00:00", To: "24:00", Days: []wall.Weekday{"sun"}}}, "", "2026-01-11T12:10:00Z", "2026-01-12T00:00:00Z"},
		{"winter in Berlin", wall.Windows{night}, "Europe/Berlin", "2026-01-10T21:00:00Z", "2026-01-11T06:00:00Z"},
		{"summer in Berlin", wall.Windows{night}, "Europe/Berlin", "2026-07-10T20:00:00Z", "2026-07-11T05:00:00Z"},
		{"New York", wall.Windows{night}, "America/New_York", "2026-01-11T03:00:00Z", "2026-01-11T12:00:00Z"},
		{"India, 30 minutes", wall.Windows{night}, "Asia/Kolkata", "2026-01-10T16:30:00Z", "2026-01-11T01:30:00Z"},
		{"Nepal, 45 minutes", wall.Windows{night}, "Asia/Kathmandu", "2026-01-10T16:15:00Z", "2026-01-11T01:15:00Z"},
		{"Chatham, 45 minutes and summer", wall.Windows{night}, "Pacific/Chatham", "2026-01-10T08:15:00Z", "2026-01-10T17:15:00Z"},
		{"Lord Howe, half an hour of summer", wall.Windows{{From: "01:00", To: "02:15"}}, "Australia/Lord_Howe", "2026-10-03T14:45:00Z", "2026-10-03T15:30:00Z"},
		{"own zone", wall.Windows{{From: "22:00", To: "07:00", TZ: "Asia/Tokyo"}}, "Europe/Berlin", "2026-01-10T14:00:00Z", "2026-01-10T22:00:00Z"},
		{"spring, over the gap", wall.Windows{night}, "Europe/Berlin", "2026-03-28T22:00:00Z", "2026-03-29T05:00:00Z"},
		{"spring, ends in the gap", wall.Windows{{From: "22:00", To: "02:30"}}, "Europe/Berlin", "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"},
		{"spring, begins in the gap", wall.Windows{{From: "02:30", To: "05:00"}}, "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"},
		{"spring, before it begins in the gap", wall.Windows{{From: "02:30", To: "05:00"}}, "Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T00:59:59Z"},
		{"spring, all in the gap", wall.Windows{{From: "02:10", To: "02:50"}}, "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"autumn, over the overlap", wall.Windows{night}, "Europe/Berlin", "2026-10-24T21:00:00Z", "2026-10-25T06:00:00Z"},
		{"autumn, ends at the last 02:30", wall.Windows{{From: "22:00", To: "02:30"}}, "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
		{"autumn, begins at the first 02:30", wall.Windows{{From: "02:30", To: "05:00"}}, "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z"},
		{"autumn, all in the overlap", wall.Windows{{From: "02:10", To: "02:50"}}, "Europe/Berlin", "2026-10-25T00:50:00Z", "2026-10-25T01:50:00Z"},
		{"midnight is skipped in Beirut", wall.Windows{{From: "22:00", To: "00:00"}}, "Asia/Beirut", "2026-03-28T21:00:00Z", "2026-03-28T22:00:00Z"},
		{"a day is skipped in Samoa", wall.Windows{night}, "Pacific/Apia", "2011-12-30T08:30:00Z", "2011-12-30T17:00:00Z"},
		{"day it begins on", wall.Windows{{From: "22:00", To: "07:00", Days: weekdays}}, "", "2026-01-10T03:00:00Z", "2026-01-10T07:00:00Z"},
		{"not on Saturday", wall.Windows{{From: "22:00", To: "07:00", Days: weekdays}}, "", "2026-01-10T23:00:00Z", "2026-01-10T23:00:00Z"},
		{"touching", wall.Windows{{From: "20:00", To: "22:00"}, night, {From: "07:00", To: "08:00"}}, "", "2026-01-10T20:30:00Z", "2026-01-11T08:00:00Z"},
		{"weekend", wall.Windows{
			{From: "18:00", To: "24:00", Days: []wall.Weekday{"fri"}},
			{From: "00:00", To: "24:00", Days: []wall.Weekday{"sat", "sun"}},
			{From: "00:00", To: "08:00", Days: []wall.Weekday{"mon"}},
		}, "Europe/Berlin", "2026-10-23T16:00:00Z", "2026-10-26T07:00:00Z"},
		{"never ending hold nothing", wall.Windows{{From: "00:00", To: "24:00"}}, "", "2026-01-10T20:30:00Z", "2026-01-10T20:30:00Z"},
		{"unsound hold nothing", wall.Windows{{From: "25:00", To: "07:00"}, {From: "24:00", To: "07:00"}, {From: "07:00", To: "07:00"}, {}}, "", "2026-01-10T03:00:00Z", "2026-01-10T03:00:00Z"},
		{"unknown zone is UTC", wall.Windows{night}, "Mars/Olympus", "2026-01-10T22:00:00Z", "2026-01-11T07:00:00Z"},
		{"unknown own zone is home's", wall.Windows{{From: "22:00", To: "07:00", TZ: "Mars/Olympus"}}, "Asia/Kolkata", "2026-01-10T16:30:00Z", "2026-01-11T01:30:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.windows.Release(moment(t, c.at), c.tz); !got.Equal(moment(t, c.want)) {
				t.Errorf("released at %s, want %s", got.UTC().Format(time.RFC3339Nano), c.want)
			}
		})
	}
}

// TestReleaseAgainstTheClock compares windows with a person who looks at a clock:
// whenever it shows a time within, nothing may be released, in zones with all kinds of
// changes and at moments near them.
func TestReleaseAgainstTheClock(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{
		"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham",
		"America/St_Johns", "America/Santiago", "Asia/Beirut", "Africa/Casablanca", "America/Havana", "Pacific/Apia", "Antarctica/Troll",
	} {
		loc, err := wall.Zone(name)
		if err != nil {
			t.Fatal(err)
		}
		changes := changesOf(loc)
		for range 400 {
			at := time.Date(2010, 1, 1, 0, 0, rnd.IntN(6*365*24*3600), 0, time.UTC)
			if len(changes) > 0 && rnd.IntN(4) > 0 {
				at = changes[rnd.IntN(len(changes))].Add(time.Duration(rnd.IntN(16*3600)-8*3600) * time.Second)
			}
			w := wall.Window{From: clock(rnd.IntN(48)), To: clock(rnd.IntN(49)), Days: days(rnd)}
			if w.From == w.To {
				continue
			}
			out := wall.Windows{w}.Release(at, name)
			if out.Before(at) {
				t.Fatalf("%s %+v: %s released before, at %s", name, w, at, out)
			}
			if shows(w, out, loc) && (wall.Windows{w}).Free() > 0 {
				t.Fatalf("%s %+v: %s released at %s, when the clock is within", name, w, at.In(loc), out.In(loc))
			}
			if again := (wall.Windows{w}).Release(out, name); !again.Equal(out) {
				t.Fatalf("%s %+v: %s released at %s and then at %s", name, w, at, out, again)
			}
			if out.After(at) {
				if early := (wall.Windows{w}).Release(out.Add(-time.Second), name); early.Before(out) {
					t.Fatalf("%s %+v: %s released at %s, a second late", name, w, at, out)
				}
			}
		}
	}
}

// shows is a window as somebody tells it from a clock and a calendar.
func shows(w wall.Window, t time.Time, loc *time.Location) bool {
	local := t.In(loc)
	now := wall.Clock(local.Format("15:04"))
	on := func(day time.Weekday) bool {
		for _, d := range w.Days {
			if x, _ := d.Day(); x == day {
				return true
			}
		}
		return len(w.Days) == 0
	}
	if w.From < w.To {
		return on(local.Weekday()) && w.From <= now && now < w.To
	}
	return on(local.Weekday()) && w.From <= now || on((local.Weekday()+6)%7) && now < w.To
}

// changesOf returns when the clocks of a zone change in the years of the test.
func changesOf(loc *time.Location) []time.Time {
	var out []time.Time
	end := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
	for t := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC).In(loc); ; {
		_, next := t.ZoneBounds()
		if next.IsZero() || next.After(end) {
			return out
		}
		out, t = append(out, next), next
	}
}

func clock(half int) wall.Clock {
	h, m := half/2, half%2*30
	return wall.Clock([]byte{byte('0' + h/10), byte('0' + h%10), ':', byte('0' + m/10), byte('0' + m%10)})
}

func days(rnd *rand.Rand) []wall.Weekday {
	if rnd.IntN(2) == 0 {
		return nil
	}
	var out []wall.Weekday
	for _, d := range []wall.Weekday{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		if rnd.IntN(2) == 0 {
			out = append(out, d)
		}
	}
	return out
}

func TestFree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		windows wall.Windows
		want    int
	}{
		{nil, 7 * 1440},
		{wall.Windows{{From: "22:00", To: "07:00"}}, 7 * 15 * 60},
		{wall.Windows{{From: "00:00", To: "24:00"}}, 0},
		{wall.Windows{{From: "12:00", To: "00:00"}, {From: "00:00", To: "12:00"}}, 0},
		{wall.Windows{{From: "22:00", To: "07:00", Days: []wall.Weekday{"sat"}}}, 7*1440 - 9*60},
	} {
		if got := c.windows.Free(); got != c.want {
			t.Errorf("%+v leaves %d minutes, want %d", c.windows, got, c.want)
		}
	}
}

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
