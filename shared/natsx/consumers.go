package natsx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxDetails bounds the streams that Details tells of, and maxConsumers the consumers
	// of all of them together: each stream costs a question, and each consumer the server
	// some work.
	maxDetails, maxConsumers = 256, 1000
)

// StreamDetails are a stream's figures with its limits and its consumers.
type StreamDetails struct {
	StreamStats
	// Created is when the stream was made, FirstTime and LastTime are those of the
	// messages it holds, zero if there is none.
	Created, FirstTime, LastTime time.Time
	// MaxMessages and MaxPerSubject are limits, -1 for none.
	MaxMessages, MaxPerSubject int64
	// Replicas is how many servers keep it, Memory says that they do so in memory.
	Replicas int
	Memory   bool
	// Subjects are those it takes in.
	Subjects []string
	// List are its consumers. More says that some are left out.
	List []ConsumerStats
	More bool
}

// ConsumerStats are the figures of one consumer.
type ConsumerStats struct {
	Name string
	// Durable says that it is kept while nobody uses it.
	Durable bool
	Created time.Time
	// Delivered is the stream's sequence of the last message it was sent, Pending how
	// many it was not sent yet, and AckPending how many it has not acknowledged.
	Delivered, Pending uint64
	AckPending         int
	// Redelivered is how many it was sent again, Waiting how many requests of its users
	// wait for messages.
	Redelivered, Waiting int
	// LastActive is when it was last sent a message, zero if never.
	LastActive time.Time
}

// Details reads all streams of the account with their consumers now.
func (c *Conn) Details(ctx context.Context) ([]StreamDetails, error) {
	var all []StreamDetails
	list := c.JS.ListStreams(ctx)
	for info := range list.Info() {
		if len(all) < maxDetails {
			all = append(all, streamDetails(info))
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("list streams: %w", Classify(err))
	}
	left := maxConsumers
	for i := range all {
		if err := c.consumers(ctx, &all[i], left); err != nil {
			return nil, err
		}
		left -= len(all[i].List)
	}
	return all, nil
}

func streamDetails(info *jetstream.StreamInfo) StreamDetails {
	cfg, state := info.Config, info.State
	d := StreamDetails{
		StreamStats: streamStats(info), Created: info.Created,
		MaxMessages: cfg.MaxMsgs, MaxPerSubject: cfg.MaxMsgsPerSubject, Replicas: cfg.Replicas,
		Memory: cfg.Storage == jetstream.MemoryStorage, Subjects: cfg.Subjects,
	}
	if state.Msgs > 0 {
		d.FirstTime, d.LastTime = state.FirstTime, state.LastTime
	}
	return d
}

// consumers adds a stream's consumers, at most so many.
func (c *Conn) consumers(ctx context.Context, d *StreamDetails, left int) error {
	if d.Consumers == 0 {
		return nil
	}
	s, err := c.JS.Stream(ctx, d.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) { // since a moment ago
		return nil
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", d.Name, Classify(err))
	}
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		if left--; left < 0 {
			d.More = true
			continue // the lister's goroutine ends when all were taken
		}
		d.List = append(d.List, consumerStats(info))
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("list the consumers of %s: %w", d.Name, Classify(err))
	}
	return nil
}

func consumerStats(info *jetstream.ConsumerInfo) ConsumerStats {
	s := ConsumerStats{
		Name: info.Name, Durable: info.Config.Durable != "", Created: info.Created,
		Delivered: info.Delivered.Stream, Pending: info.NumPending, AckPending: info.NumAckPending,
		Redelivered: info.NumRedelivered, Waiting: info.NumWaiting,
	}
	if info.Delivered.Last != nil {
		s.LastActive = *info.Delivered.Last
	}
	return s
}
