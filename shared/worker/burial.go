package worker

import (
	"context"
	"fmt"
	"time"
)

// retract removes a letter about a job that another worker has gone on with. If that one
// gave it up too, it is about the same letter, which has to stay: so it does in doubt.
func (d *delivery) retract(letter uint64) {
	s, err := d.w.q.last(d.l.storing, d.job)
	if err == nil && s.State != Dead {
		err = d.w.q.remove(d.l.storing, letter)
	}
	if err != nil {
		d.w.log.Warn("a dead letter may be about a job that is not dead", "key", d.job.Key, "letter", letter, "err", err)
	}
}

// refuse makes a letter of a message that is no job.
func (d *delivery) refuse(token string, why error) {
	if !isToken(token) {
		token = KeyOf("", d.w.cfg.Channel, token)
	}
	_, err := d.write(Letter{
		Key: token, Channel: d.w.cfg.Channel, Reason: ReasonMalformed, Error: why.Error(),
		Died: time.Now().UTC(), Raw: d.m.Data(),
	})
	if err != nil {
		d.lost(err)
		return
	}
	d.w.log.Warn("a message that is no job was set aside", "key", token, "err", why)
	d.w.cfg.Metrics.jobs.WithLabelValues(d.w.cfg.Channel, string(Dead)).Inc()
	d.term(string(ReasonMalformed))
}

// write stores a letter. Storing it again for the same message changes nothing.
func (d *delivery) write(l Letter) (seq uint64, err error) {
	meta, err := d.m.Metadata()
	if err != nil {
		return 0, fmt.Errorf("a message of the queue: %w", err)
	}
	id := fmt.Sprintf("%s.%d.%d", l.Key, meta.Sequence.Stream, l.Attempts)
	err = d.persist(func(ctx context.Context) (err error) {
		seq, err = d.w.q.bury(ctx, l, id)
		return err
	})
	return seq, err
}
