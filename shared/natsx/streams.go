package natsx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"github.com/nats-io/nats.go/jetstream"
)

// EnsureStream makes the stream want.Name exist with the limits of want and
// returns its present info. It is idempotent and safe to run from many processes
// at once: whoever comes first creates, the others find it. A stream that exists
// keeps its Metadata, its Replicas (scaling is an operator's decision) and its
// Storage (which NATS cannot change); its other settings are updated.
func (c *Conn) EnsureStream(ctx context.Context, want jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
	s, err := c.JS.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = c.JS.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = c.JS.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", want.Name, Classify(err))
	}
	have := s.CachedInfo().Config
	next, changed := merge(have, want)
	if !changed {
		return s.CachedInfo(), nil
	}
	if s, err = c.JS.UpdateStream(ctx, next); err != nil {
		return nil, fmt.Errorf("update stream %s: %w", want.Name, Classify(err))
	}
	return s.CachedInfo(), nil
}

// merge lays the settings Tidings owns over those a stream has.
func merge(have, want jetstream.StreamConfig) (jetstream.StreamConfig, bool) {
	next := have
	next.Description = want.Description
	next.Subjects = want.Subjects
	next.MaxBytes, next.MaxAge, next.MaxMsgsPerSubject, next.MaxMsgs = want.MaxBytes, want.MaxAge, want.MaxMsgsPerSubject, unlimited(want.MaxMsgs)
	next.Duplicates = want.Duplicates
	next.AllowDirect, next.AllowMsgTTL, next.Discard = want.AllowDirect, want.AllowMsgTTL, want.Discard
	next.DenyDelete, next.Sources = want.DenyDelete, want.Sources
	next.Metadata = maps.Clone(have.Metadata)
	for k, v := range want.Metadata {
		if _, ok := next.Metadata[k]; !ok {
			if next.Metadata == nil {
				next.Metadata = map[string]string{}
			}
			next.Metadata[k] = v
		}
	}
	return next, !reflect.DeepEqual(next, have)
}

// unlimited maps the zero value to how the server reports it.
func unlimited(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}
