package natsx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// maxVarz bounds the answer of a monitoring port; a real one is about 10 KB.
const maxVarz = 1 << 20

// Stats are the figures of the server this process is connected to, and of the
// streams of its account.
type Stats struct {
	// Name and Version are the server's.
	Name, Version string
	// ServerKnown says that the fields up to Streams are set. They are not when the
	// server is external and its monitoring port is not configured or not reachable.
	ServerKnown bool
	// Messages and bytes since the server's start, as clients sent (In) and got (Out) them.
	InMsgs, OutMsgs, InBytes, OutBytes int64
	// Connections and Subscriptions are present counts.
	Connections   int
	Subscriptions uint32
	// SlowConsumers counts connections cut since start for reading too slowly.
	SlowConsumers int64
	// MemBytes is resident memory. For an embedded server it is the whole process's.
	MemBytes int64
	// CPUPercent is of one core.
	CPUPercent float64
	// Streams are all streams of the account, KV buckets included.
	Streams []StreamStats
}

// StreamStats are the figures of one stream.
type StreamStats struct {
	Name            string
	Messages, Bytes uint64
	First, Last     uint64 // sequences
	Consumers       int
	MaxBytes        int64 // -1 is unlimited
	MaxAge          time.Duration
}

// Stats reads the figures now. The streams' figures are an error when they cannot
// be read; the server's are then just unknown.
func (c *Conn) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Name: c.NC.ConnectedServerName(), Version: c.NC.ConnectedServerVersion()}
	if v, err := c.varz(ctx); err == nil {
		s.ServerKnown = true
		s.InMsgs, s.OutMsgs, s.InBytes, s.OutBytes = v.InMsgs, v.OutMsgs, v.InBytes, v.OutBytes
		s.Connections, s.Subscriptions, s.SlowConsumers = v.Connections, v.Subscriptions, v.SlowConsumers
		s.MemBytes, s.CPUPercent = v.Mem, v.CPU
	}
	list := c.JS.ListStreams(ctx)
	for info := range list.Info() {
		s.Streams = append(s.Streams, streamStats(info))
	}
	if err := list.Err(); err != nil {
		return s, fmt.Errorf("list streams: %w", Classify(err))
	}
	return s, nil
}

func streamStats(info *jetstream.StreamInfo) StreamStats {
	return StreamStats{
		Name: info.Config.Name, Messages: info.State.Msgs, Bytes: info.State.Bytes,
		First: info.State.FirstSeq, Last: info.State.LastSeq, Consumers: info.State.Consumers,
		MaxBytes: info.Config.MaxBytes, MaxAge: info.Config.MaxAge,
	}
}

func (c *Conn) varz(ctx context.Context) (*server.Varz, error) {
	if c.embedded != nil {
		return c.embedded.varz()
	}
	if c.monitor == "" {
		return nil, ErrAway
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.monitor+"/varz", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("varz: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("varz: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("varz: %s", resp.Status)
	}
	var v server.Varz
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxVarz)).Decode(&v); err != nil {
		return nil, fmt.Errorf("varz: %w", err)
	}
	if v.ID == "" {
		return nil, errors.New("varz: this is no NATS monitoring port")
	}
	return &v, nil
}
