package smtp

import (
	"context"
	"math"
	"time"
)

// forever is a pause of which nobody knows the end.
const forever = time.Duration(math.MaxInt64)

// attempt is one Send at work.
type attempt struct {
	s      *Relays
	m      Mail
	tried  map[*relay]bool // those that gave an answer to the mail
	unsure *Result         // a provider may have it
	result Result          // what came of it so far
}

// round asks the providers that were not asked yet and would take a mail now, in order.
// If that settles the mail it is over; else wait says when another may be ready.
func (a *attempt) round(ctx context.Context) (wait time.Duration, over bool) {
	wait = forever
	for _, r := range a.candidates() {
		if a.tried[r] {
			continue
		}
		done, pause := r.admit(ctx)
		if done == nil {
			wait = min(wait, pause)
			continue
		}
		if a.result.Provider != "" && a.result.Provider != r.p.Name {
			a.s.m.failovers.Inc()
		}
		if a.ask(ctx, r, done) {
			return 0, true
		}
		if !a.tried[r] {
			wait = min(wait, r.away())
		}
	}
	return wait, false
}

// candidates are the providers that may be asked. One that is not configured any more
// can't be asked whether it has the mail; that must not hold it for ever.
func (a *attempt) candidates() []*relay {
	if r := a.s.named(a.m.Only); r != nil {
		return []*relay{r}
	}
	return a.s.relays
}

// asked says whether a provider gave an answer to the mail.
func (a *attempt) asked() bool {
	for _, answered := range a.tried {
		if answered {
			return true
		}
	}
	return false
}

// ask asks one provider, and says whether that settles the mail.
func (a *attempt) ask(ctx context.Context, r *relay, done func(error)) bool {
	answer, v, e := r.send(ctx, a.m, done)
	a.tried[r] = !v.slow // who only asks for a pause may be asked again after it
	a.result = Result{Verdict: v.result, Provider: r.p.Name, Answer: answer}
	if e != nil {
		a.result.Err = e
	}
	switch v.result {
	case Sent:
		return true
	case Unsure:
		first := a.result
		a.unsure = &first
		return !a.m.Duplicates
	case Refused:
		if a.unsure != nil {
			a.result = *a.unsure
		}
		return !v.elsewhere
	case Deferred, Held:
	}
	return ctx.Err() != nil
}

// end is the result when no provider is left to ask now.
func (a *attempt) end(ctx context.Context, wait time.Duration) Result {
	switch {
	case a.unsure != nil:
		return *a.unsure
	case a.result.Err == nil && ctx.Err() != nil:
		return Result{Verdict: Deferred, Err: context.Cause(ctx)}
	case a.result.Err == nil:
		a.result = Result{Verdict: Deferred, Err: errBusy}
	}
	if a.result.Verdict == Deferred && wait < forever {
		a.result.After = wait
	}
	return a.result
}
