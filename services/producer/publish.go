package producer

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/producer/envelope"
	"tidings/shared/auth"
	"tidings/shared/httpx"
)

// postEvents is POST /v1/events. Everything is checked before anything is stored:
// a refused request leaves no trace in the log.
func (p *Producer) postEvents(c echo.Context) error {
	leave, err := p.events.enter(c.Request().Context())
	if err != nil {
		return p.metrics.refuse(err)
	}
	defer leave()
	b, err := p.receive(c)
	if err != nil {
		return p.metrics.refuse(err)
	}
	return p.answer(c, b, p.store(c.Request().Context(), b), http.StatusCreated)
}

// receive reads a request and returns its events, checked, allowed and with keys.
func (p *Producer) receive(c echo.Context) (envelope.Batch, error) {
	r := c.Request()
	grant := httpx.Grant(c)
	header, err := httpx.IdempotencyKey(r.Header)
	if err != nil {
		return envelope.Batch{}, err
	}
	body, err := httpx.ReadBody(c, MaxBody)
	if err != nil {
		return envelope.Batch{}, err
	}
	b, err := envelope.Parse(envelope.Request{Header: r.Header, Query: r.URL.Query(), Body: body, Now: time.Now()})
	if err != nil {
		return envelope.Batch{}, err
	}
	if err := allowed(grant, b); err != nil {
		p.metrics.refused.Add(len(b.Items) - 1) // refuse counts one
		return envelope.Batch{}, err
	}
	if header != "" {
		for i := range b.Items {
			b.Items[i].Key = envelope.RequestKey(grant.User, header, i)
		}
	}
	return b, nil
}

// allowed checks that the grant may publish every topic of the batch. The answer
// names the first topic it may not, and how many there are.
func allowed(grant *auth.Grant, b envelope.Batch) error {
	var denied []string
	seen := map[string]bool{}
	for _, it := range b.Items {
		topic := string(it.Event.Topic)
		if seen[topic] {
			continue
		}
		seen[topic] = true
		if !grant.MayPublish(it.Event.Topic) {
			denied = append(denied, topic)
		}
	}
	if len(denied) == 0 {
		return nil
	}
	detail := fmt.Sprintf("The token may not publish to %s.", strings.Join(denied[:min(len(denied), envelope.MaxFaults)], ", "))
	if more := len(denied) - envelope.MaxFaults; more > 0 {
		detail += fmt.Sprintf(" There are %d more.", more)
	}
	return httpx.NewProblem(http.StatusForbidden, "publish_denied", detail).WithParam(denied[0]).
		WithHint(`The topics a token may publish to are its claim tidings.pub. Nothing was stored.`)
}
