package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/natsx"
	"tidings/shared/subject"
)

// ticketKeep is how long the store keeps a ticket at most. Tickets expire earlier
// by their own word; this only sweeps those nobody used.
const ticketKeep = 2 * auth.TicketTTL

// ticketBytes bounds the store: 64 MiB are some hundred thousand unused tickets.
const ticketBytes = 64 << 20

// ticketRetry is when to ask again for a ticket that NATS had no answer for.
const ticketRetry = 2 * time.Second

// TicketStore keeps one-time tickets in a NATS bucket in memory, so that a ticket
// from one edge opens a stream on any other, once.
type TicketStore struct {
	conn   *natsx.Conn
	bucket jetstream.KeyValueConfig
	kv     jetstream.KeyValue
}

// OpenTicketStore creates the bucket if needed.
func OpenTicketStore(ctx context.Context, conn *natsx.Conn, space subject.Space) (*TicketStore, error) {
	s := &TicketStore{conn: conn, bucket: jetstream.KeyValueConfig{
		Bucket: space.Stream("tickets"), Description: "Tidings: one-time tickets",
		TTL: ticketKeep, MaxBytes: ticketBytes, Storage: jetstream.MemoryStorage,
	}}
	var err error
	if s.kv, err = s.open(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *TicketStore) open(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := s.conn.JS.CreateOrUpdateKeyValue(ctx, s.bucket)
	if err != nil {
		return nil, fmt.Errorf("ticket bucket: %w", natsx.Classify(err))
	}
	return kv, nil
}

// Put implements auth.TicketStore. A bucket in memory is gone after a restart of
// NATS, with the tickets, which have expired by then; the next Put makes it again.
func (s *TicketStore) Put(ctx context.Context, key string, value []byte) error {
	_, err := s.kv.Create(ctx, key, value)
	if err != nil {
		if _, err = s.open(ctx); err == nil {
			_, err = s.kv.Create(ctx, key, value)
		}
	}
	if err != nil {
		return fmt.Errorf("store a ticket: %w", natsx.Classify(err))
	}
	return nil
}

// Take implements auth.TicketStore. Of several takers one wins: the deletion is
// bound to the revision that was read.
func (s *TicketStore) Take(ctx context.Context, key string) ([]byte, error) {
	entry, err := s.kv.Get(ctx, key)
	if err != nil && !absent(err) {
		if _, err = s.open(ctx); err == nil { // see Put
			entry, err = s.kv.Get(ctx, key)
		}
	}
	if absent(err) {
		return nil, auth.ErrNoTicket
	}
	if err != nil {
		return nil, fmt.Errorf("take a ticket: %w", natsx.Classify(err))
	}
	err = s.kv.Delete(ctx, key, jetstream.LastRevision(entry.Revision()))
	if natsx.Raced(err) {
		return nil, auth.ErrNoTicket
	}
	if err != nil {
		return nil, fmt.Errorf("take a ticket: %w", natsx.Classify(err))
	}
	return entry.Value(), nil
}

// absent reports whether there is no such key.
func absent(err error) bool {
	return errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey)
}

// issueTicket is POST /v1/tickets: a one-time ticket with the caller's grant, for
// the query of an EventSource, which cannot send headers.
func (e *Edge) issueTicket(c echo.Context) error {
	if e.cfg.Auth.Tickets == nil {
		return httpx.NewProblem(http.StatusNotImplemented, "no_tickets", "This node issues no tickets.")
	}
	ticket, expires, err := e.cfg.Auth.Tickets.Issue(c.Request().Context(), httpx.Grant(c))
	if err != nil {
		return httpx.NewProblem(http.StatusServiceUnavailable, "tickets_unavailable", "No ticket can be issued at the moment.").
			WithRetryAfter(ticketRetry).WithCause(err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusCreated, map[string]string{"ticket": ticket, "expires": expires.UTC().Format(time.RFC3339)})
}
