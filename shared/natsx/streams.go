package natsx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// defaultDuplicates is the server's own duplicate window.
	defaultDuplicates = 2 * time.Minute
	// createTries and createPause are how often, and how long after each other, a stream is
	// tried to be made while the files of one that was deleted are in its way.
	createTries, createPause = 40, 25 * time.Millisecond
)

// EnsureStream makes the stream want.Name exist with the limits of want and
// returns its present info. It is idempotent and safe to run from many processes
// at once: whoever comes first creates, the others find it. A stream that exists
// keeps its Metadata, its Replicas (scaling is an operator's decision) and its
// Storage (which NATS cannot change); its other settings are updated.
func (c *Conn) EnsureStream(ctx context.Context, want jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
	var info *jetstream.StreamInfo
	err := c.Guard(ctx, func(ctx context.Context) (err error) {
		info, err = c.ensureStream(ctx, want)
		return err
	}, "$JS.API.STREAM.INFO."+want.Name, "$JS.API.STREAM.CREATE."+want.Name, "$JS.API.STREAM.UPDATE."+want.Name)
	return info, Classify(err)
}

func (c *Conn) ensureStream(ctx context.Context, want jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
	s, err := c.Stream(ctx, want)
	if err != nil {
		return nil, err
	}
	have := s.CachedInfo().Config
	next, changed := merge(have, want)
	if !changed {
		return s.CachedInfo(), nil
	}
	if s, err = c.JS.UpdateStream(ctx, next); err != nil {
		return nil, fmt.Errorf("update stream %s: %w", want.Name, err)
	}
	return s.CachedInfo(), nil
}

// Stream finds a stream, or makes it. One that exists stays as it is. Errors are those of
// package jetstream, to be classified.
func (c *Conn) Stream(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := c.JS.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = create(ctx, func() (jetstream.Stream, error) { return c.JS.CreateStream(ctx, want) })
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by somebody with other limits, meanwhile
			s, err = c.JS.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", want.Name, err)
	}
	return s, nil
}

// KeyValue finds a key-value bucket, or makes it. One that exists stays as it is: to scale
// it is an operator's decision. Errors are those of package jetstream, to be classified.
func (c *Conn) KeyValue(ctx context.Context, want jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	kv, err := c.JS.KeyValue(ctx, want.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = create(ctx, func() (jetstream.KeyValue, error) { return c.JS.CreateOrUpdateKeyValue(ctx, want) })
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", want.Bucket, err)
	}
	return kv, nil
}

// create makes a stream or a bucket. The server says that it is gone before it has removed
// its files, and until then they may be in the way of a new one of that name.
func create[T any](ctx context.Context, do func() (T, error)) (made T, err error) {
	for range createTries {
		made, err = do()
		if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != codeStreamCreateFailed {
			break
		}
		select {
		case <-ctx.Done():
			return made, err
		case <-time.After(createPause):
		}
	}
	return made, err
}

// merge lays the settings Tidings owns over those a stream has, in the form the
// server reports them, so that an unchanged stream is not updated again.
func merge(have, want jetstream.StreamConfig) (jetstream.StreamConfig, bool) {
	next := have
	next.Description = want.Description
	next.Subjects = want.Subjects
	next.MaxMsgs, next.MaxBytes, next.MaxMsgsPerSubject = unlimited(want.MaxMsgs), unlimited(want.MaxBytes), unlimited(want.MaxMsgsPerSubject)
	next.MaxAge, next.Duplicates = want.MaxAge, duplicates(want)
	next.AllowDirect, next.Discard, next.Sources = want.AllowDirect, want.Discard, want.Sources
	// What the server never takes back is left on where it is on.
	next.AllowMsgTTL, next.DenyDelete = have.AllowMsgTTL || want.AllowMsgTTL, have.DenyDelete || want.DenyDelete
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

// duplicates maps the zero value to what the server makes of it.
func duplicates(want jetstream.StreamConfig) time.Duration {
	switch {
	case want.Duplicates != 0:
		return want.Duplicates
	case want.MaxAge > 0:
		return min(want.MaxAge, defaultDuplicates)
	}
	return defaultDuplicates
}
