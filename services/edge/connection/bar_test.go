package connection

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestBar: who was on the way when a revocation came is sent away, and who comes later
// is not.
func TestBar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h Host
		arrive := func(user string, token uint64) *Conn {
			return &Conn{user: user, token: token, since: time.Now().UnixNano()}
		}
		early := arrive("ann", 1)
		if h.Barred(early) || h.bars.token(1) {
			t.Error("barred before anything was revoked")
		}
		time.Sleep(time.Second)
		h.Bar("ann", 0)
		h.Bar("", 2)
		time.Sleep(time.Second)
		for name, c := range map[string]struct {
			conn *Conn
			want bool
		}{
			"ann, on the way":        {early, true},
			"ann, later":             {arrive("ann", 1), false},
			"bob with a bad token":   {arrive("bob", 2), true},
			"bob without a token id": {arrive("bob", 0), false},
		} {
			if got := h.Barred(c.conn); got != c.want {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		if !h.bars.token(2) || h.bars.token(0) || h.bars.token(1) {
			t.Error("the wrong tokens are barred")
		}
		time.Sleep(2 * barPeriod)
		h.Bar("eve", 0) // which is when the old ones are forgotten
		if h.Barred(early) || h.bars.token(2) {
			t.Error("nothing is forgotten")
		}
		for n := range 2 * maxBars {
			h.Bar("u"+strconv.Itoa(n), uint64(n))
		}
		if n := len(h.bars.order); n != maxBars || len(h.bars.users) != maxBars {
			t.Errorf("%d entries, at most %d", n, maxBars)
		}
	})
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::1", "fe80::1%eth0": "fe80::1", "": "", "nonsense": "",
	} {
		c := Conn{ip: addressOf(in)}
		got := ""
		if c.IP().IsValid() {
			got = c.IP().String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if TokenHash("") != 0 || TokenHash("a") == 0 || TokenHash("a") == TokenHash("b") {
		t.Error("hashes of tokens collide")
	}
}
