package churn

import (
	"context"
	"math/rand/v2"
	"time"
)

// One in longShare of those who are away stays away long.
const longShare = 20

// The deeds, in shares of a hundred.
const (
	shareCut   = 40 // dropped without a word, and back
	shareClose = 25 // closed, and back
	shareLeave = 15 // gone for good, and somebody new comes
	// The rest stall.
)

// seat is one place of the crowd, on which one visitor follows another.
type seat struct {
	crowd   *crowd
	index   int
	rng     *rand.Rand
	visitor *visitor
}

// live lets visitors come and go until calm, and leaves the last one connected.
func (s *seat) live(ctx context.Context, calm <-chan struct{}) error {
	if err := s.welcome(ctx); err != nil {
		return err
	}
	for {
		rest := time.Duration(s.rng.ExpFloat64() * float64(s.crowd.cfg.Rest))
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-calm:
			timer.Stop()
			return nil
		case <-s.visitor.ended():
			timer.Stop()
			if err := s.visitor.comeBack(ctx); err != nil {
				return err
			}
			continue
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		if err := s.deed(ctx, calm); err != nil {
			return err
		}
	}
}

// welcome seats somebody new.
func (s *seat) welcome(ctx context.Context) error {
	v, err := s.crowd.visitor(s.index)
	if err != nil {
		return err
	}
	s.visitor = v
	s.crowd.deeds.joined.Add(1)
	return v.open(ctx)
}

// deed does something that people do.
func (s *seat) deed(ctx context.Context, calm <-chan struct{}) error {
	v, d := s.visitor, &s.crowd.deeds
	n := s.rng.IntN(100)
	switch {
	case n < shareCut:
		d.cut.Add(1)
		v.cut()
	case n < shareCut+shareClose:
		d.closed.Add(1)
		v.leave(ctx)
	case n < shareCut+shareClose+shareLeave:
		d.left.Add(1)
		if s.rng.IntN(2) == 0 {
			v.cut()
		} else {
			v.leave(ctx)
		}
		s.crowd.part(v)
		return s.welcome(ctx)
	default:
		d.stalled.Add(1)
		return v.stall(ctx, s.upTo(s.crowd.cfg.Rest/2), calm)
	}
	away := s.upTo(s.crowd.cfg.Rest / 4)
	if s.rng.IntN(longShare) == 0 {
		away = s.upTo(s.crowd.cfg.Away)
	}
	if err := pause(ctx, away, calm); err != nil {
		return err
	}
	d.returned.Add(1)
	return v.open(ctx)
}

// upTo is a random time.
func (s *seat) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d))) }

// goodbye ends the seat's last visitor in one way or the other.
func (s *seat) goodbye(ctx context.Context) {
	if s.visitor == nil {
		return
	}
	if s.rng.IntN(2) == 0 {
		s.visitor.cut()
	} else {
		s.visitor.leave(ctx)
	}
}
