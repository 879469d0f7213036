package wall_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tidings/services/notifier/route/wall"
)

func TestNext(t *testing.T) {
	t.Parallel()
	nine := wall.Schedule{Every: wall.EveryDay, At: "09:00", TZ: "Europe/Berlin"}
	for _, c := range []struct {
		name        string
		schedule    wall.Schedule
		after, want string
	}{
		{"today", nine, "2026-01-10T07:59:59Z", "2026-01-10T08:00:00Z"},
		{"strictly after", nine, "2026-01-10T08:00:00Z", "2026-01-11T08:00:00Z"},
		{"into summer", nine, "2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"},
		{"into winter", nine, "2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"},
		{"in the gap", wall.Schedule{Every: wall.EveryDay, At: "02:30", TZ: "Europe/Berlin"}, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"first of two", wall.Schedule{Every: wall.EveryDay, At: "02:30", TZ: "Europe/Berlin"}, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"once of two", wall.Schedule{Every: wall.EveryDay, At: "02:30", TZ: "Europe/Berlin"}, "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"weekly", wall.Schedule{Every: wall.EveryWeek, At: "09:00", Days: []wall.Weekday{"mon", "thu"}}, "2026-01-12T09:00:00Z", "2026-01-15T09:00:00Z"},
		{"weekly, next week", wall.Schedule{Every: wall.EveryWeek, At: "09:00", Days: []wall.Weekday{"mon"}}, "2026-01-12T09:00:00Z", "2026-01-19T09:00:00Z"},
		{"monthly", wall.Schedule{Every: wall.EveryMonth, At: "00:00", MonthDay: 1}, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"the 31st of February", wall.Schedule{Every: wall.EveryMonth, At: "12:00", MonthDay: 31}, "2026-01-31T12:00:00Z", "2026-02-28T12:00:00Z"},
		{"the 31st of March", wall.Schedule{Every: wall.EveryMonth, At: "12:00", MonthDay: 31}, "2026-02-28T12:00:00Z", "2026-03-31T12:00:00Z"},
		{"leap day", wall.Schedule{Every: wall.EveryMonth, At: "12:00", MonthDay: 30}, "2028-02-01T12:00:00Z", "2028-02-29T12:00:00Z"},
		{"Nepal", wall.Schedule{Every: wall.EveryDay, At: "09:00", TZ: "Asia/Kathmandu"}, "2026-01-10T00:00:00Z", "2026-01-10T03:15:00Z"},
		{"interval", wall.Schedule{Every: wall.EveryInterval, Seconds: 600, Start: time.Unix(100, 0)}, "1970-01-01T00:20:00Z", "1970-01-01T00:21:40Z"},
		{"interval, on the dot", wall.Schedule{Every: wall.EveryInterval, Seconds: 600, Start: time.Unix(100, 0)}, "1970-01-01T00:21:40Z", "1970-01-01T00:31:40Z"},
		{"interval, not begun", wall.Schedule{Every: wall.EveryInterval, Seconds: 600, Start: time.Unix(1e9, 0)}, "1970-01-01T00:00:00Z", "2001-09-09T01:46:40Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.schedule.Check(); err != nil {
				t.Fatal(err)
			}
			if got := c.schedule.Next(moment(t, c.after)); !got.Equal(moment(t, c.want)) {
				t.Errorf("comes at %s, want %s", got.Format(time.RFC3339), c.want)
			}
		})
	}
}

// TestNextDaily walks three years of days: each comes once, in order, at its time of
// day but where that is skipped.
func TestNextDaily(t *testing.T) {
	t.Parallel()
	for _, tz := range []string{"Europe/Berlin", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "America/Havana"} {
		loc, err := wall.Zone(tz)
		if err != nil {
			t.Fatal(err)
		}
		s := wall.Schedule{Every: wall.EveryDay, At: "00:15", TZ: tz}
		at, day := s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, loc)), time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		for range 3 * 366 {
			y, m, d := at.In(loc).Date()
			if !day.Equal(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) {
				t.Fatalf("%s: came at %s, want it on %s", tz, at.In(loc), day.Format(time.DateOnly))
			}
			at, day = s.Next(at), day.AddDate(0, 0, 1)
		}
	}
}

func TestScheduleCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schedule wall.Schedule
		want     string
	}{
		{wall.Schedule{}, "every"},
		{wall.Schedule{Every: wall.EveryDay}, "at"},
		{wall.Schedule{Every: wall.EveryDay, At: "24:00"}, "at"},
		{wall.Schedule{Every: wall.EveryDay, At: "09:00", TZ: "Local"}, "tz"},
		{wall.Schedule{Every: wall.EveryWeek, At: "09:00"}, "days"},
		{wall.Schedule{Every: wall.EveryWeek, At: "09:00", Days: []wall.Weekday{"Mon"}}, "days"},
		{wall.Schedule{Every: wall.EveryMonth, At: "09:00"}, "month_day"},
		{wall.Schedule{Every: wall.EveryMonth, At: "09:00", MonthDay: 32}, "month_day"},
		{wall.Schedule{Every: wall.EveryInterval, Seconds: 1}, "seconds"},
	} {
		err := c.schedule.Check()
		if !errors.Is(err, wall.ErrSchedule) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want a fault of %s", c.schedule, err, c.want)
		}
		if next := c.schedule.Next(time.Unix(0, 0)); !next.IsZero() {
			t.Errorf("%+v comes at %s", c.schedule, next)
		}
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "UTC", "Europe/Vienna", "Etc/GMT+5", "America/Argentina/Buenos_Aires"} {
		if _, err := wall.Zone(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"Local", "../etc/passwd", "/etc/localtime", "Mars/Olympus", "Europe/Vienna\n", "..", "europe vienna", strings.Repeat("a", 65)} {
		if _, err := wall.Zone(name); !errors.Is(err, wall.ErrZone) {
			t.Errorf("%q: %v, want ErrZone", name, err)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for c, want := range map[wall.Clock]int{"00:00": 0, "09:05": 545, "23:59": 1439, "24:00": 1440} {
		if got, ok := c.Minutes(); !ok || got != want {
			t.Errorf("%q = %d, %v", c, got, ok)
		}
	}
	for _, c := range []wall.Clock{"", "9:05", "24:01", "12:60", "12-30", "+1:30", "12:3x", "12:300", "99:99"} {
		if _, ok := c.Minutes(); ok {
			t.Errorf("%q is taken", c)
		}
	}
}
