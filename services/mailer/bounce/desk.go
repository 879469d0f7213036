package bounce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/services/mailer/bounce/dsn"
	"tidings/shared/ledger"
	"tidings/shared/suppress"
)

// applyTime bounds what the reports of one message take.
const applyTime = 20 * time.Second

// Intakes and results, as labels of the metric.
const (
	byMaildir = "maildir"
	bySMTP    = "smtp"
	byHook    = "webhook"

	resultApplied  = "applied"
	resultUnproven = "unproven"
	resultIgnored  = "ignored"
	resultFailed   = "failed"
	kindNone       = "none"
)

// desk is where all intakes bring what they got.
type desk struct {
	seals   *Seals
	apply   *Applier
	log     *slog.Logger
	reports *prometheus.CounterVec // by intake, kind and result
}

// newDesk makes the counter and registers it; reg may be nil. All series exist from the
// start, so that a rate sees the first failure.
func newDesk(seals *Seals, apply *Applier, log *slog.Logger, reg prometheus.Registerer) (*desk, error) {
	d := &desk{seals: seals, apply: apply, log: log, reports: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_bounces_total",
		Help: "Reports about mail that came in, by how, by what they say and by what became of them.",
	}, []string{"intake", "kind", "result"})}
	for _, intake := range []string{byMaildir, bySMTP, byHook} {
		d.reports.WithLabelValues(intake, kindNone, resultIgnored)
		for _, kind := range []Kind{Hard, Soft, Refused, Delayed, Delivered, Complaint} {
			for _, result := range []string{resultApplied, resultUnproven, resultFailed} {
				d.reports.WithLabelValues(intake, string(kind), result)
			}
		}
	}
	if reg != nil {
		if err := reg.Register(d.reports); err != nil {
			return nil, fmt.Errorf("bounce: metrics: %w", err)
		}
	}
	return d, nil
}

// mail takes a message that arrived at the addresses. An error means that it should
// come again; what is no report, or not proven, is counted and dropped.
func (d *desk) mail(ctx context.Context, intake string, data []byte, arrivedAt []string) error {
	reports, err := dsn.Parse(bytes.NewReader(data))
	switch {
	case errors.Is(err, dsn.ErrNotReport):
		d.reports.WithLabelValues(intake, kindNone, resultIgnored).Inc()
		return nil
	case err != nil:
		return fmt.Errorf("bounce: %w", err)
	}
	for i := range reports {
		r := &reports[i]
		// Where it really arrived comes first: the lists of evidence are short.
		r.Evidence.ReturnPaths = dsn.Few(append(slices.Clip(arrivedAt), r.Evidence.ReturnPaths...)...)
		d.seals.Prove(r)
	}
	return d.take(ctx, intake, reports)
}

// take applies reports. An error means that they should come again.
func (d *desk) take(ctx context.Context, intake string, reports []Report) error {
	ctx, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	var failed error
	for _, r := range reports {
		err := d.apply.Apply(ctx, r)
		result := resultApplied
		switch {
		case errors.Is(err, ErrUnproven):
			result = resultUnproven
		case hopeless(err):
			result = resultFailed
			d.log.WarnContext(ctx, "a bounce cannot be applied", "intake", intake, "kind", string(r.Kind), "key", r.Key, "err", err)
		case err != nil:
			result, failed = resultFailed, errors.Join(failed, err)
		}
		d.reports.WithLabelValues(intake, string(r.Kind), result).Inc()
		if failed != nil {
			return failed // the rest would fail alike; all of it comes again
		}
	}
	return nil
}

// hopeless reports whether an error stays however often it is tried.
func hopeless(err error) bool {
	return errors.Is(err, suppress.ErrFull) || errors.Is(err, suppress.ErrAddress) || errors.Is(err, suppress.ErrEntry) ||
		errors.Is(err, ledger.ErrEntry)
}
