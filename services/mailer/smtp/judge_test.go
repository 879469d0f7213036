package smtp

import "testing"

// TestJudge is the whole table of what answers mean; it has no door but this one.
func TestJudge(t *testing.T) {
	t.Parallel()
	var (
		deferred = verdict{result: Deferred}
		refused  = verdict{result: Refused}
		unsure   = verdict{result: Unsure, fault: true, broken: true}
		lost     = verdict{result: Deferred, fault: true, broken: true}
		settled  = verdict{result: Deferred, fault: true, broken: true, settled: true}
		slowed   = verdict{result: Deferred, slow: true}
		cut      = verdict{result: Deferred, slow: true, broken: true}
	)
	for _, c := range []struct {
		stage    Stage
		code     int
		enhanced string
		want     verdict
	}{
		{Connect, 0, "", lost},
		{Connect, 554, "", lost},
		{Connect, 421, "", cut},
		{Connect, 550, "5.7.1", lost},
		{Login, 0, "", lost},
		{Login, 535, "5.7.8", settled},
		{Login, 454, "4.7.0", cut},
		{From, 0, "", lost},
		{To, 0, "", lost},
		{Data, 0, "", lost}, // nothing of the mail was sent
		{Body, 0, "", unsure},
		{End, 0, "", unsure},
		{End, 251, "", unsure}, // whatever that is meant to say
		{From, 530, "", settled},
		{From, 535, "", settled},
		{To, 538, "", settled},
		{To, 503, "", lost},
		{Data, 250, "", lost},
		{From, 550, "", refused},
		{To, 550, "5.1.1", refused},
		{Data, 554, "", refused},
		{End, 554, "5.7.1", refused},
		{End, 599, "", refused},
		{End, 600, "", unsure},
		{To, 450, "4.2.1", deferred},
		{To, 452, "", deferred},
		{From, 451, "4.3.0", deferred},
		{End, 451, "", deferred},
		{To, 450, "4.7.1", slowed},
		{End, 451, "4.7.0", slowed},
		{From, 454, "", slowed},
		{From, 421, "4.7.28", cut},
		{End, 421, "", cut},
		{To, 550, "4.7.1", refused}, // the three digits count
	} {
		if got := judge(c.stage, c.code, c.enhanced); got != c.want {
			t.Errorf("%s %d %s: got %+v, want %+v", c.stage, c.code, c.enhanced, got, c.want)
		}
	}
}
