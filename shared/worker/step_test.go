package worker_test

import (
	"testing"
	"time"

	"tidings/shared/worker"
)

func TestNext(t *testing.T) {
	t.Parallel()
	now := time.Now()
	live, old := worker.Job{}, worker.Job{Expires: now}
	once := worker.Job{Once: true}
	for title, c := range map[string]struct {
		last    worker.Receipt
		job     worker.Job
		do      int
		attempt int
		doubt   bool
		why     worker.Reason
	}{
		"unknown":            {worker.Receipt{}, live, int(worker.Begin), 1, false, ""},
		"queued":             {worker.Receipt{State: worker.Queued}, live, int(worker.Begin), 1, false, ""},
		"redriven in doubt":  {worker.Receipt{State: worker.Queued, Unsure: true}, live, int(worker.Begin), 1, true, ""},
		"queued too long":    {worker.Receipt{State: worker.Queued}, old, int(worker.Expire), 0, false, ""},
		"sent":               {worker.Receipt{State: worker.Sent, Attempt: 1}, live, int(worker.Settle), 0, false, ""},
		"sent, then old":     {worker.Receipt{State: worker.Sent, Attempt: 1}, old, int(worker.Settle), 0, false, ""},
		"expired":            {worker.Receipt{State: worker.Expired}, live, int(worker.Settle), 0, false, ""},
		"dead":               {worker.Receipt{State: worker.Dead}, live, int(worker.Discard), 0, false, ""},
		"lost while sending": {worker.Receipt{State: worker.Sending, Attempt: 2}, live, int(worker.Begin), 3, true, ""},
		"lost, better not":   {worker.Receipt{State: worker.Sending, Attempt: 1}, once, int(worker.Bury), 1, true, worker.ReasonUnsure},
		"lost for the last":  {worker.Receipt{State: worker.Sending, Attempt: 3}, live, int(worker.Bury), 3, true, worker.ReasonAttempts},
		"lost and old":       {worker.Receipt{State: worker.Sending, Attempt: 1}, old, int(worker.Expire), 1, true, ""},
		"too early":          {worker.Receipt{State: worker.Retry, Attempt: 1, Next: now.Add(1)}, live, int(worker.Wait), 1, false, ""},
		"in time":            {worker.Receipt{State: worker.Retry, Attempt: 1, Next: now}, live, int(worker.Begin), 2, false, ""},
		"in time, in doubt":  {worker.Receipt{State: worker.Retry, Attempt: 1, Next: now, Unsure: true}, live, int(worker.Begin), 2, true, ""},
		"too late":           {worker.Receipt{State: worker.Retry, Attempt: 1, Next: now}, old, int(worker.Expire), 1, false, ""},
		"drained at the end": {worker.Receipt{State: worker.Retry, Attempt: 2, Next: now}, live, int(worker.Begin), 3, false, ""},
		"fewer allowed now":  {worker.Receipt{State: worker.Retry, Attempt: 5, Next: now}, live, int(worker.Bury), 5, false, worker.ReasonAttempts},
	} {
		s := worker.Next(c.last, c.job, now, 3)
		if s.Do() != c.do || s.Attempt() != c.attempt || s.Doubt() != c.doubt || s.Why() != c.why {
			t.Errorf("%s: %+v", title, s)
		}
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	now := time.Now()
	soon := worker.Job{Expires: now.Add(time.Second)}
	for title, c := range map[string]struct {
		a     worker.Attempt
		o     worker.Outcome
		pause time.Duration
		do    int
		doubt bool
		why   worker.Reason
	}{
		"again":              {worker.Attempt{Number: 1}, worker.Again(), time.Hour, int(worker.Wait), false, ""},
		"doubt stays":        {worker.Attempt{Number: 1, Unsure: true}, worker.Again(), 0, int(worker.Wait), true, ""},
		"unsure":             {worker.Attempt{Number: 1}, worker.Unsure(), 0, int(worker.Wait), true, ""},
		"unsure, better not": {worker.Attempt{Number: 1, Job: worker.Job{Once: true}}, worker.Unsure(), 0, int(worker.Bury), true, worker.ReasonUnsure},
		"never":              {worker.Attempt{Number: 1}, worker.Never(), 0, int(worker.Bury), false, worker.ReasonPermanent},
		"the last":           {worker.Attempt{Number: 3}, worker.Again(), 0, int(worker.Bury), false, worker.ReasonAttempts},
		"expires before":     {worker.Attempt{Number: 1, Job: soon}, worker.AgainAfter(time.Hour), time.Hour, int(worker.Expire), false, ""},
		"expires after":      {worker.Attempt{Number: 1, Job: soon}, worker.Again(), time.Millisecond, int(worker.Wait), false, ""},
	} {
		s := worker.After(c.a, c.o, c.pause, now, 3)
		if s.Do() != c.do || s.Attempt() != c.a.Number || s.Doubt() != c.doubt || s.Why() != c.why {
			t.Errorf("%s: %+v", title, s)
		}
	}
}
