package event_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"tidings/shared/event"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("e", event.MaxEpoch)
	for _, c := range []struct {
		text string
		want event.Cursor
	}{
		{"a-0", event.Cursor{Epoch: "a"}},
		{"a-1", event.Cursor{Epoch: "a", Seq: 1}},
		{"Zz09-18446744073709551615", event.Cursor{Epoch: "Zz09", Seq: math.MaxUint64}},
		{longest + "-7", event.Cursor{Epoch: longest, Seq: 7}},
	} {
		got, err := event.ParseCursor(c.text)
		if err != nil || got != c.want {
			t.Errorf("ParseCursor(%q) = %+v, %v; want %+v", c.text, got, err, c.want)
		}
		if got := c.want.String(); got != c.text {
			t.Errorf("%+v is written %q, want %q", c.want, got, c.text)
		}
		if got := string(c.want.Append([]byte("id: "))); got != "id: "+c.text {
			t.Errorf("%+v is appended as %q", c.want, got)
		}
	}
	if got := (event.Cursor{}).String(); got != "" {
		t.Errorf("the zero cursor is written %q", got)
	}
}

func TestParseCursorRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "-", "a", "a-", "-1", "1", "a-01", "a-00", "a-+1", "a--1", "a-1-2", "a- 1", " a-1", "a-1 ", "a-1\n", "a-0x1", "a-1_0", "a-1.0",
		"a-18446744073709551616", "a_b-1", "ä-1", "a\x00-1", "a.b-1", strings.Repeat("e", event.MaxEpoch+1) + "-1", "a-" + strings.Repeat("9", 1<<16),
	} {
		got, err := event.ParseCursor(text)
		if !errors.Is(err, event.ErrCursor) || got != (event.Cursor{}) {
			t.Errorf("ParseCursor(%.40q) = %+v, %v; want ErrCursor", text, got, err)
		}
		if err != nil && len(err.Error()) > 100 {
			t.Errorf("ParseCursor(%.40q): an error of %d bytes", text, len(err.Error()))
		}
	}
}

// FuzzParseCursor holds every cursor to have one text.
func FuzzParseCursor(f *testing.F) {
	for _, s := range []string{"", "a-1", "a-01", "a-+1", "Zz-18446744073709551615", "a--1", "é-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := event.ParseCursor(s); err == nil && c.String() != s {
			t.Fatalf("ParseCursor(%q) = %+v, which is written %q", s, c, c)
		}
	})
}
