package mailbox

import (
	"testing"
	"time"
)

// A pass is made in answers alone, so its end can only be seen from inside.
func TestPassEnds(t *testing.T) {
	t.Parallel()
	p, now := newPass(), time.Now()
	s := p.of(7, now)
	for _, c := range []struct {
		name string
		of   pass
		s    string
		id   int64
		at   time.Time
		want bool
	}{
		{"good", p, s, 7, now, true},
		{"good to the end", p, s, 7, now.Add(passTime), true},
		{"over", p, s, 7, now.Add(passTime + time.Second), false},
		{"of another mail", p, s, 8, now, false},
		{"of another process", newPass(), s, 7, now, false},
		{"longer life", p, "zz" + s, 7, now, false},
		{"empty", p, "", 7, now, false},
		{"no signature", p, "zzzzzz-", 7, now, false},
	} {
		if got := c.of.good(c.s, c.id, c.at); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
