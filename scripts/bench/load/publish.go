package load

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"tidings/scripts/bench/protocol"
	"tidings/shared/natsx"
	"tidings/shared/subject"
)

// ackTime bounds the wait for the log's acknowledgements after the last event.
const ackTime = 10 * time.Second

// errNoAck says that the log did not answer in time.
var errNoAck = fmt.Errorf("none within %v", ackTime)

// Publisher sends events to the server. What it sends arrives in the order of the
// calls.
type Publisher interface {
	// Publish sends several events together. It may return before they are stored.
	Publish(ctx context.Context, topic subject.Topic, data [][]byte) error
	// Settle waits until everything is known to be stored, or is known not to be.
	Settle(ctx context.Context) Acks
}

// Acks are the log's answers to all events since the last Settle.
type Acks struct {
	// Seqs are the events' sequences in the log, 0 for one that is not known to be in
	// it.
	Seqs []uint64
	// Failed is how many those are, FailedBy why the first is.
	Failed   int
	FailedBy error
}

// fail adds an event that is not known to be in the log.
func (a *Acks) fail(err error) {
	a.Seqs = append(a.Seqs, 0)
	if a.Failed++; a.FailedBy == nil {
		a.FailedBy = fmt.Errorf("acknowledgement: %w", err)
	}
}

// NATSPublisher publishes to the log directly, without waiting for one event's
// acknowledgement before it sends the next. The bench measures the way from the log
// to the subscribers, and an HTTP request for each event would cost the server more
// than a small room's deliveries.
type NATSPublisher struct {
	conn  *natsx.Conn
	space subject.Space
	acks  []ack
}

// ack tells what became of one event: its sequence, or an error. It does not wait.
type ack func() (uint64, error)

// NewNATSPublisher returns a publisher to the log of the space.
func NewNATSPublisher(conn *natsx.Conn, space subject.Space) *NATSPublisher {
	return &NATSPublisher{conn: conn, space: space}
}

// Publish implements Publisher.
func (p *NATSPublisher) Publish(_ context.Context, topic subject.Topic, data [][]byte) error {
	subj := p.space.Events(subject.Pattern(topic))
	for _, d := range data {
		future, err := p.conn.JS.PublishAsync(subj, d)
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		p.acks = append(p.acks, func() (uint64, error) {
			select {
			case a := <-future.Ok():
				return a.Sequence, nil
			case err := <-future.Err():
				return 0, err
			default:
				return 0, errNoAck
			}
		})
	}
	return nil
}

// Settle implements Publisher.
func (p *NATSPublisher) Settle(ctx context.Context) Acks {
	ctx, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	select {
	case <-p.conn.JS.PublishAsyncComplete():
	case <-ctx.Done(): // whose acknowledgement is missing is seen below
	}
	a := Acks{Seqs: make([]uint64, 0, len(p.acks))}
	for _, ack := range p.acks {
		seq, err := ack()
		if err != nil {
			a.fail(err)
			continue
		}
		a.Seqs = append(a.Seqs, seq)
	}
	p.acks = p.acks[:0]
	return a
}

// HTTPPublisher posts to /v1/events, one request after the other. Events that go
// together are one request.
type HTTPPublisher struct {
	url    string
	token  string
	client *http.Client
	seqs   []uint64
}

// NewHTTPPublisher returns a publisher to the server at base, such as
// http://127.0.0.1:8080.
func NewHTTPPublisher(base, token string) *HTTPPublisher {
	return &HTTPPublisher{url: base + "/v1/events", token: token, client: &http.Client{Timeout: ackTime}}
}

// Publish implements Publisher.
func (p *HTTPPublisher) Publish(ctx context.Context, topic subject.Topic, data [][]byte) error {
	type post struct {
		Topic subject.Topic   `json:"topic"`
		Data  json.RawMessage `json:"data"`
	}
	list := make([]post, len(data))
	for i, d := range data {
		list[i] = post{topic, d}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("json.Marshal: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	defer resp.Body.Close()
	const most = 1 << 20 // the answers to the largest batch; read so that the connection can be used again
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return errors.New("publish: " + resp.Status + ": " + string(answer[:min(len(answer), 300)]))
	}
	var stored struct{ Results []struct{ Seq uint64 } }
	if err := json.Unmarshal(answer, &stored); err != nil || len(stored.Results) != len(data) {
		return fmt.Errorf("publish: %d answers to %d events: %w", len(stored.Results), len(data), cmp.Or(err, protocol.ErrBroken))
	}
	for _, one := range stored.Results {
		p.seqs = append(p.seqs, one.Seq)
	}
	return nil
}

// Settle implements Publisher: every answer was an acknowledgement.
func (p *HTTPPublisher) Settle(context.Context) Acks {
	a := Acks{Seqs: p.seqs}
	p.seqs = nil
	return a
}
