package template

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// zone returns the place of the person's clock, and whether it is known.
func zone(name string) (*time.Location, bool) {
	if name == "" || name == "Local" || len(name) > maxLocale { // the server's own zone says nothing about them
		return time.UTC, false
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, false
	}
	return l, true
}

// when reads a time as it stands in data. A mere date has no zone to be moved to.
func (p *pass) when(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, errors.New("is no time: write it as RFC 3339 has it")
	}
	return t.In(p.zone), nil
}

// date writes the day of a time, "" for none.
func (p *pass) date(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	t, err := p.when(s)
	if err != nil {
		return "", err
	}
	return p.day(t)
}

// clock writes the time of day of a time, "" for none.
func (p *pass) clock(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	t, err := p.when(s)
	if err != nil {
		return "", err
	}
	return p.hour(t)
}

// moment writes a day and a time of day, "" for none. Those who didn't tell their zone
// are told which one it is in.
func (p *pass) moment(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	t, err := p.when(s)
	if err != nil {
		return "", err
	}
	day, err := p.day(t)
	if err != nil {
		return "", err
	}
	hour, err := p.hour(t)
	if err != nil {
		return "", err
	}
	if !p.zoned {
		hour += " UTC"
	}
	return p.say("moment", nil, map[string]string{"Date": day, "Clock": hour})
}

// day and hour ask the messages how a language writes them, so that a language can be
// added without a programmer.
func (p *pass) day(t time.Time) (string, error) {
	names, err := p.say("months", nil, nil)
	if err != nil {
		return "", err
	}
	months := strings.Fields(names)
	if len(months) != 12 {
		return "", fmt.Errorf("the message \"months\" has %d words", len(months))
	}
	return p.say("date", nil, map[string]string{
		"Year": t.Format("2006"), "Month": months[t.Month()-1], "MM": t.Format("01"), "Day": t.Format("2"), "DD": t.Format("02"),
	})
}

func (p *pass) hour(t time.Time) (string, error) {
	return p.say("clock", nil, map[string]string{
		"Hour": t.Format("15"), "Hour12": t.Format("3"), "Minute": t.Format("04"), "AMPM": t.Format("PM"),
	})
}

// days groups items by the day they are of, in the order they are in.
func (p *pass) days(items []any) ([]any, error) {
	var groups []any
	last := map[string]any{}
	for _, it := range items {
		m, ok := it.(map[string]any)
		if !ok {
			return nil, errors.New("days: that is no list of items")
		}
		at, _ := m["At"].(string)
		day, err := p.date(at)
		if err != nil {
			return nil, fmt.Errorf("days: %w", err)
		}
		if len(groups) == 0 || last["Day"] != day {
			last = map[string]any{"Day": day, "Items": []any{}}
			groups = append(groups, last)
		}
		list, _ := last["Items"].([]any)
		last["Items"] = append(list, it)
	}
	return groups, nil
}
