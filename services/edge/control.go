package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/services/edge/connection"
	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// order is a change on its way to the edge that has the connection.
type order struct {
	Conn   string            `json:"conn"`
	User   string            `json:"user"`
	Add    []subject.Pattern `json:"add,omitempty"`
	Remove []subject.Pattern `json:"remove,omitempty"`
	Grant  *auth.Grant       `json:"grant,omitempty"`
}

// verdict answers an order; one of its fields is there.
type verdict struct {
	State   *connection.State `json:"state,omitempty"`
	Problem *httpx.Problem    `json:"problem,omitempty"`
	// RetryAfter is that of the problem, which has it in a header otherwise.
	RetryAfter time.Duration `json:"retry_after,omitempty"`
}

// orders is the subject on which an edge takes orders. The tag in a connection's name
// says which edge it is: nobody has to be asked in vain, and if no edge listens the
// connection is gone.
func (e *Edge) orders(tag string) string { return e.cfg.Space.Control("edge." + tag) }

// changeElsewhere has another edge change a connection.
func (e *Edge) changeElsewhere(ctx context.Context, tag, name string, ch connection.Change) (connection.State, error) {
	data, err := json.Marshal(order{Conn: name, User: ch.User, Add: ch.Add, Remove: ch.Remove, Grant: ch.Grant})
	if err != nil {
		return connection.State{}, fmt.Errorf("encode an order: %w", err)
	}
	msg, err := e.cfg.core().RequestWithContext(ctx, e.orders(tag), data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return connection.State{}, connection.Unknown()
	case err != nil:
		return connection.State{}, stream.Problem(fmt.Errorf("%w: order to another edge: %w", stream.ErrUnavailable, err))
	}
	var v verdict
	if err := json.Unmarshal(msg.Data, &v); err != nil {
		return connection.State{}, fmt.Errorf("decode a verdict: %w", err)
	}
	switch {
	case v.Problem != nil:
		return connection.State{}, v.Problem.WithRetryAfter(v.RetryAfter)
	case v.State == nil:
		return connection.State{}, errors.New("an edge answered an order with nothing")
	}
	return *v.State, nil
}

// takeOrders carries out what other edges want changed, until the function that it
// returns is called. That returns when nothing is under way any more.
func (e *Edge) takeOrders(ctx context.Context, nc *nats.Conn) (stop func(), err error) {
	var wg sync.WaitGroup
	var mu sync.RWMutex // held while an order begins; a subscription may call after its end
	ended := false
	slots := make(chan struct{}, maxOrders)
	sub, err := nc.Subscribe(e.orders(e.host.Tag()), func(m *nats.Msg) {
		mu.RLock()
		defer mu.RUnlock()
		if ended {
			return
		}
		select {
		case slots <- struct{}{}:
		default: // the next one may find room; this one hears nothing and times out
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			e.obey(ctx, m)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to orders: %w", err)
	}
	return func() {
		_ = sub.Unsubscribe() // fails only when the connection is closed
		mu.Lock()
		ended = true
		mu.Unlock()
		wg.Wait()
	}, nil
}

// obey carries out one order.
func (e *Edge) obey(ctx context.Context, m *nats.Msg) {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	var v verdict
	var o order
	err := json.Unmarshal(m.Data, &o)
	if err == nil {
		var state connection.State
		if state, err = e.host.Change(ctx, o.Conn, connection.Change{User: o.User, Add: o.Add, Remove: o.Remove, Grant: o.Grant}); err == nil {
			v.State = &state
		}
	} else {
		err = httpx.NewProblem(http.StatusBadRequest, "bad_order", "The order is malformed.").WithCause(err)
	}
	if err != nil {
		v.Problem = httpx.ProblemOf(err, nil)
		v.RetryAfter = v.Problem.RetryAfter
	}
	data, err := json.Marshal(v)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		e.log.Warn("an order was not answered", "err", err)
	}
}
