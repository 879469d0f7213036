package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats.go"

	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// ephemeralBytes bounds an ephemeral event: cursors and typing are small, and
// nothing slows a publisher of ephemeral events down.
const ephemeralBytes = 16 << 10

// publishBody is the body of POST /v1/publish.
type publishBody struct {
	// ID is the event's.
	ID string `json:"id"`
	publishFields
}

// publishFields are what a browser says about an event but for its id.
type publishFields struct {
	// Topic is where to publish; the grant must allow it.
	Topic string `json:"topic"`
	// Type and Data are those of the event. The source is the caller's own topic.
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
	// Ephemeral events are not stored: whoever is connected gets them, or not.
	Ephemeral bool `json:"ephemeral"`
	// Except is a connection that must not get the event: the publisher's own.
	Except string `json:"except"`
}

// publish is POST /v1/publish: a browser publishes where its grant allows.
func (e *Edge) publish(c echo.Context) error {
	var body publishBody
	if err := httpx.DecodeJSON(c.Request().Body, &body); err != nil {
		return err
	}
	done, err := e.put(c.Request().Context(), httpx.Grant(c), body, c.Request().Header.Get("Idempotency-Key"))
	switch {
	case err != nil:
		return err
	case body.Ephemeral:
		return c.JSON(http.StatusAccepted, done)
	}
	return c.JSON(http.StatusOK, done)
}

// put publishes what a browser wants published, and returns the answer. An ephemeral
// event is on its way then, and any other one is stored.
func (e *Edge) put(ctx context.Context, g *auth.Grant, body publishBody, key string) (map[string]any, error) {
	ev, err := body.event(g)
	if err != nil {
		return nil, err
	}
	if body.Ephemeral {
		return map[string]any{"ephemeral": true}, e.putEphemeral(ev)
	}
	ack, err := e.cfg.Log.Append(ctx, ev, publishKey(g, ev, key))
	if err != nil {
		return nil, stream.Problem(err)
	}
	return map[string]any{"seq": ack.Cursor.Seq, "cursor": ack.Cursor.String(), "duplicate": ack.Duplicate}, nil
}

// event checks the body against the grant and makes the event.
func (b publishBody) event(g *auth.Grant) (event.Event, error) {
	name := b.Topic
	if name == ownTopic {
		name = string(subject.User(g.User))
	}
	topic, err := subject.ParseTopic(name)
	if err != nil {
		return event.Event{}, badTopic("topic", err)
	}
	if !g.MayPublish(topic) {
		return event.Event{}, httpx.NewProblem(http.StatusForbidden, "publish_denied", fmt.Sprintf("Your token does not let you publish to %q.", topic)).
			WithParam("topic").WithHint("The claim tidings.pub lists where a token may publish.")
	}
	ev := event.Event{
		Topic: topic, Type: b.Type, ID: b.ID, Except: b.Except, Data: b.Data,
		// A browser's word about who it is would be worth nothing: the grant says it.
		Source: string(subject.User(g.User)),
	}
	if ev.Type == "" {
		ev.Type = event.DefaultType
	}
	if len(ev.Data) == 0 {
		ev.Data = []byte("null")
	}
	if len(ev.Source) > event.MaxAttribute {
		ev.Source = ""
	}
	if err := ev.Check(); err != nil {
		var field *event.FieldError
		errors.As(err, &field)
		return ev, httpx.Bad(field.Field, "bad_event", "The event's "+field.Error()+".")
	}
	if b.Ephemeral && len(ev.Data) > ephemeralBytes {
		return ev, httpx.NewProblem(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("An ephemeral event takes at most %d bytes of data.", ephemeralBytes)).WithParam("data")
	}
	return ev, nil
}

// publishKey scopes a browser's key to its user and topic, so that nobody can
// make another's event look like a repetition.
func publishKey(g *auth.Grant, ev event.Event, header string) string {
	key := ev.ID
	if header != "" {
		key = header
	}
	if key == "" || len(key) > event.MaxAttribute {
		return ""
	}
	return string(ev.Topic) + " " + subject.Escape(g.User) + " " + subject.Escape(key)
}

func (e *Edge) putEphemeral(ev event.Event) error {
	nc := e.cfg.core()
	if nc == nil {
		return httpx.NewProblem(http.StatusNotImplemented, "no_ephemeral", "This node has no NATS to carry ephemeral events.")
	}
	err := nc.PublishMsg(&nats.Msg{Subject: e.cfg.Space.Ephemeral(subject.Pattern(ev.Topic)), Header: nats.Header(ev.Header()), Data: ev.Data})
	if err != nil {
		return stream.Problem(fmt.Errorf("%w: %w", stream.ErrUnavailable, err))
	}
	return nil
}
