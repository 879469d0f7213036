package producer

import (
	"context"
	"fmt"
	"time"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

// natsTopic is where NATS's figures go.
const natsTopic subject.Topic = "room.nats"

// maxStreams bounds the streams of one event: an account may hold thousands, and
// the event goes out every second.
const maxStreams = 64

// natsData is the data of an event of type nats.metrics. null is unknown, as when
// an external server's monitoring cannot be reached.
type natsData struct {
	Server         string       `json:"server"`
	Version        string       `json:"version"`
	InMsgsPerSec   *float64     `json:"in_msgs_per_s"`
	OutMsgsPerSec  *float64     `json:"out_msgs_per_s"`
	InBytesPerSec  *float64     `json:"in_bytes_per_s"`
	OutBytesPerSec *float64     `json:"out_bytes_per_s"`
	Connections    *int         `json:"connections"`
	Subscriptions  *uint32      `json:"subscriptions"`
	SlowConsumers  *int64       `json:"slow_consumers"`
	MemBytes       *int64       `json:"mem_bytes"`
	CPUPercent     *float64     `json:"cpu_percent"`
	Streams        []streamData `json:"streams"`
}

// streamData is one stream of natsData.
type streamData struct {
	Name      string `json:"name"`
	Messages  uint64 `json:"messages"`
	Bytes     uint64 `json:"bytes"`
	First     uint64 `json:"first"`
	Last      uint64 `json:"last"`
	Consumers int    `json:"consumers"`
	MaxBytes  int64  `json:"max_bytes"` // -1 is unlimited
}

// natsFeed reads NATS. One goroutine owns it.
type natsFeed struct {
	stats  func(context.Context) (natsx.Stats, error)
	last   natsx.Stats
	lastAt time.Time // zero when last holds no counters
}

// read takes the figures now; rates are since the last call that knew the server's.
func (n *natsFeed) read(ctx context.Context, now time.Time) (any, error) {
	s, err := n.stats(ctx)
	if err != nil {
		return nil, fmt.Errorf("stats: %w", err)
	}
	d := natsData{Server: s.Name, Version: s.Version, Streams: streamFigures(s.Streams)}
	if !s.ServerKnown {
		return d, nil
	}
	d.Connections, d.Subscriptions, d.SlowConsumers = &s.Connections, &s.Subscriptions, &s.SlowConsumers
	percent := legible(s.CPUPercent)
	d.MemBytes, d.CPUPercent = &s.MemBytes, &percent
	// Another server, reached after a fail-over, counts from somewhere else.
	if !n.lastAt.IsZero() && n.last.Name == s.Name {
		elapsed := now.Sub(n.lastAt)
		d.InMsgsPerSec = rate(counter(n.last.InMsgs), counter(s.InMsgs), elapsed)
		d.OutMsgsPerSec = rate(counter(n.last.OutMsgs), counter(s.OutMsgs), elapsed)
		d.InBytesPerSec = rate(counter(n.last.InBytes), counter(s.InBytes), elapsed)
		d.OutBytesPerSec = rate(counter(n.last.OutBytes), counter(s.OutBytes), elapsed)
	}
	n.last, n.lastAt = s, now
	return d, nil
}

// counter reads a counter that NATS keeps in a signed number.
func counter(v int64) uint64 { return uint64(max(v, 0)) }

// streamFigures is the wire form of the streams.
func streamFigures(streams []natsx.StreamStats) []streamData {
	list := make([]streamData, 0, min(len(streams), maxStreams))
	for _, s := range streams[:min(len(streams), maxStreams)] {
		list = append(list, streamData{
			Name: s.Name, Messages: s.Messages, Bytes: s.Bytes, First: s.First, Last: s.Last,
			Consumers: s.Consumers, MaxBytes: s.MaxBytes,
		})
	}
	return list
}
