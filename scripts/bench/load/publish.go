package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

// ackTime bounds the wait for the log's acknowledgements after the last event.
const ackTime = 10 * time.Second

// Publisher sends events to the server. What it sends arrives in the order of the
// calls.
type Publisher interface {
	// Publish sends several events together. It may return before they are stored.
	Publish(ctx context.Context, topic subject.Topic, data [][]byte) error
	// Settle waits until everything is known to be stored. It returns how many events
	// are not, and why the first is not.
	Settle(ctx context.Context) (failed int, err error)
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

// ack is the part of JetStream's acknowledgement that matters here.
type ack interface{ Err() <-chan error }

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
		p.acks = append(p.acks, future)
	}
	return nil
}

// Settle implements Publisher.
func (p *NATSPublisher) Settle(ctx context.Context) (failed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	select {
	case <-p.conn.JS.PublishAsyncComplete():
	case <-ctx.Done():
		return p.conn.JS.PublishAsyncPending(), fmt.Errorf("acknowledgements: %w", ctx.Err())
	}
	for _, a := range p.acks {
		select {
		case e := <-a.Err():
			failed++
			if err == nil {
				err = fmt.Errorf("acknowledgement: %w", e)
			}
		default:
		}
	}
	p.acks = p.acks[:0]
	return failed, err
}

// HTTPPublisher posts to /v1/events, one request after the other. Events that go
// together are one request.
type HTTPPublisher struct {
	url    string
	token  string
	client *http.Client
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
	const most = 64 << 10 // the answers to a large batch; read so that the connection can be used again
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return errors.New("publish: " + resp.Status + ": " + string(answer[:min(len(answer), 300)]))
	}
	return nil
}

// Settle implements Publisher: every answer was an acknowledgement.
func (p *HTTPPublisher) Settle(context.Context) (failed int, err error) { return 0, nil }
