package notifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"tidings/services/notifier/deliver"
	"tidings/shared/httpx"
	"tidings/shared/ledger"
	"tidings/shared/natsx"
)

const (
	// MaxBatch is the most notifications of one request.
	MaxBatch = 100
	// acceptAtOnce is how many notifications of a request are stored at the same time.
	acceptAtOnce = 16
	// acceptWait bounds the storing of a request. It goes on when the client is gone, and
	// a leader election, which takes about five seconds, fits in.
	acceptWait = 10 * time.Second
)

// request is a document with one or some notifications.
type request struct {
	// source says how it came.
	source string
	// key names what is remembered of it under its Idempotency-Key; "" without one.
	key string
	// documents are the notifications; batch says that they came as a list.
	documents []json.RawMessage
	batch     bool
	// ids are for those that bring none; again says that they may be in use already, for
	// the same notifications.
	ids   []string
	again bool
}

// place is what comes before the name of a field of one of the notifications.
func (q request) place(i int) string {
	if !q.batch {
		return ""
	}
	return "[" + strconv.Itoa(i) + "]."
}

// Accepted is the answer about one notification. Its JSON is part of the API.
type Accepted struct {
	// ID names it from now on.
	ID string `json:"id"`
	// Recipients is how many people it goes to. Of one that is for later, those it would
	// go to now.
	Recipients int `json:"recipients"`
	// At is when it begins, if that is later.
	At time.Time `json:"at,omitzero"`
	// Duplicate says that it was accepted before, by another request.
	Duplicate bool `json:"duplicate"`

	fresh bool // it was stored just now
}

// accept stores notifications that were checked and begins with them. One that fails
// does not stop the others: what was stored is always begun, or comes again with the
// request. The error is one that may pass, if there is one, or else a refusal.
func (n *Notifier) accept(ctx context.Context, q request, list []candidate) ([]Accepted, error) {
	out, errs := make([]Accepted, len(list)), make([]error, len(list))
	var g errgroup.Group
	g.SetLimit(acceptAtOnce)
	for i, c := range list {
		if c.notification.ID == "" {
			c.notification.ID = q.ids[i]
		}
		g.Go(func() error {
			out[i], errs[i] = n.acceptOne(ctx, q, c)
			errs[i] = within(q.place(i), errs[i])
			return nil
		})
	}
	_ = g.Wait() // they tell of errors in errs
	var refusal error
	for _, err := range errs {
		switch {
		case err == nil:
		case !refused(err):
			return nil, err
		case refusal == nil:
			refusal = err
		}
	}
	return out, refusal
}

func (n *Notifier) acceptOne(ctx context.Context, q request, c candidate) (Accepted, error) {
	body, err := natsx.Encode(c.notification)
	if err != nil {
		return Accepted{}, err
	}
	id := c.notification.ID
	stored, fresh, err := n.cfg.Ledger.Put(ctx, id, ledger.Entry{
		At: n.cfg.Now().UTC(), Kind: ledger.KindRequest, Part: deliver.RequestPart, Key: q.key, Reason: q.source, Body: body,
	})
	if err != nil {
		return Accepted{}, fmt.Errorf("store the notification: %w", err)
	}
	out := Accepted{ID: id, Recipients: len(c.users), At: c.notification.At, fresh: fresh}
	if !fresh {
		if !same(stored.Body, body) {
			return Accepted{}, conflict(id)
		}
		// The same request under its Idempotency-Key is no duplicate of itself.
		out.Duplicate = q.key == "" || stored.Key != q.key
		_, canceled, err := n.cfg.Ledger.Part(ctx, id, deliver.CanceledPart)
		if err != nil {
			return Accepted{}, fmt.Errorf("read whether it was canceled: %w", err)
		}
		if canceled {
			return out, nil
		}
	}
	// Whoever asks again may do so because this was interrupted: it is idempotent.
	return out, n.begin(ctx, c, stored, &out)
}

// conflict is the answer to an id that is another notification's.
func conflict(id string) *httpx.Problem {
	return httpx.NewProblem(http.StatusConflict, "id_conflict", "There is another notification with the id "+strconv.Quote(id)+".").
		WithParam("id").WithHint("An id names one notification for ever. That one was not changed.")
}

// begin begins with a stored notification, now or when its time comes.
func (n *Notifier) begin(ctx context.Context, c candidate, stored ledger.Entry, out *Accepted) error {
	now := n.cfg.Now()
	switch p := c.notification; {
	case p.Repeat != nil:
		next, err := n.deliver.PlanNext(ctx, p, p.At.Add(-time.Nanosecond))
		out.At = next
		return err
	case p.At.After(now):
		return n.deliver.PlanBegin(ctx, p)
	default:
		out.At = time.Time{}
		return n.deliver.Begin(ctx, p.ID, stored, c.users, p.Expires)
	}
}

// newIDs returns ids for notifications that bring none.
func newIDs(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "n-" + nuid.Next()
	}
	return out
}

// refused reports whether an error says that a request is wrong, so that it would be no
// better later.
func refused(err error) bool {
	return httpx.ProblemOf(problem(err), nil).Status < http.StatusInternalServerError
}

// within names the element of a batch in a problem.
func within(place string, err error) error {
	p, ok := errors.AsType[*httpx.Problem](err)
	if !ok || place == "" {
		return err
	}
	return p.WithParam(place + p.Param)
}

// same reports whether two notifications are the same, however their characters of HTML
// are written.
func same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y bytes.Buffer
	json.HTMLEscape(&x, a)
	json.HTMLEscape(&y, b)
	return bytes.Equal(x.Bytes(), y.Bytes())
}
