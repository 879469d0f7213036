package revoke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// DefaultKeep is how long the id of a token is kept unless said otherwise: as long
	// as most tokens live at most.
	DefaultKeep = 24 * time.Hour
	// MaxKeep is the longest: what is revoked takes memory everywhere.
	MaxKeep = 30 * 24 * time.Hour
	// maxText bounds a user's or a token's id.
	maxText = 1024
	// maxOrders and maxOrderBytes bound the orders that wait to be carried out.
	maxOrders, maxOrderBytes = 10000, 4 << 20
)

// control is the name of the control subject.
const control = "revoke"

// ErrOrder says that an order is malformed.
var ErrOrder = errors.New("the order needs a user or a token")

// Order revokes a user's present connections, or a token: one of the two.
type Order struct {
	// User is a plain id, Token the id of a token, its jti.
	User  string `json:"user,omitempty"`
	Token string `json:"token,omitempty"`
	// Until is when the token need not be refused any more; nil means DefaultKeep from
	// now on.
	Until *time.Time `json:"until,omitempty"`
}

// Check returns an error that wraps ErrOrder unless the order can be carried out.
func (o Order) Check() error {
	switch {
	case (o.User == "") == (o.Token == ""):
		return fmt.Errorf("%w: either one", ErrOrder)
	case len(o.User) > maxText || len(o.Token) > maxText:
		return fmt.Errorf("%w of at most %d bytes", ErrOrder, maxText)
	}
	return nil
}

// Listen calls fn for every order until ctx ends; one at a time, in the order in which
// they come. What is malformed is dropped. It returns an error if it could not begin.
func Listen(ctx context.Context, conn *natsx.Conn, space subject.Space, fn func(context.Context, Order)) (wait func(), err error) {
	sub, err := conn.NC.SubscribeSync(space.Control(control))
	if err == nil {
		err = sub.SetPendingLimits(maxOrders, maxOrderBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("listen to revocations: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
		for {
			msg, err := sub.NextMsgWithContext(ctx)
			switch {
			case errors.Is(err, nats.ErrSlowConsumer):
				continue // there were too many at once; the error handler has told
			case err != nil:
				return
			}
			var o Order
			d := json.NewDecoder(bytes.NewReader(msg.Data))
			if d.Decode(&o) == nil && o.Check() == nil {
				fn(ctx, o)
			}
		}
	}()
	return func() { <-done }, nil
}

// publish sends an order to everyone and returns once the server has it.
func publish(ctx context.Context, conn *natsx.Conn, space subject.Space, o Order) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode an order: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	err = conn.NC.Publish(space.Control(control), data)
	if err == nil {
		err = conn.NC.FlushWithContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("send a revocation: %w", natsx.Classify(err))
	}
	return nil
}
