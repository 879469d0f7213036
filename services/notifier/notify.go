package notifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tidings/services/notifier/deliver"
	"tidings/services/notifier/planner"
	"tidings/services/notifier/route"
	"tidings/shared/httpx"
	"tidings/shared/ledger"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/worker"
)

// MaxBody bounds a body of /v1/notify in bytes: one notification of the largest size
// with all its recipients, or a batch of ordinary ones.
const MaxBody = 1 << 20

// errGrant is the answer to whoever may not notify.
var errGrant = httpx.NewProblem(http.StatusForbidden, "notify_denied", "The token may not notify.").
	WithHint(`It needs the claim tidings.notify or tidings.admin.`)

// postNotify is POST /v1/notify: a notification, or an array of some.
func (n *Notifier) postNotify(c echo.Context) error {
	key, err := httpx.IdempotencyKey(c.Request().Header)
	if err != nil {
		return n.metrics.refuse(err)
	}
	body, err := httpx.ReadBody(c, MaxBody)
	if err != nil {
		return n.metrics.refuse(err)
	}
	out, replayed, err := n.notify(c.Request().Context(), "http", httpx.Grant(c).User, key, body)
	if err != nil {
		return n.metrics.refuse(problem(err))
	}
	if replayed {
		c.Response().Header().Set("Idempotency-Replayed", "true")
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSONBlob(http.StatusAccepted, out)
}

// notify accepts a document with one or some notifications and returns the answer.
// With a key the answer is remembered, and replayed to the same request.
func (n *Notifier) notify(ctx context.Context, source, user, key string, body []byte) (out []byte, replayed bool, err error) {
	q := request{source: source}
	if q.documents, q.batch, err = split(body); err != nil {
		return nil, false, err
	}
	q.ids = newIDs(len(q.documents))
	if key != "" {
		q.key = answerKey(user, key)
		return n.notifyOnce(ctx, q, newAnswer(body, q.ids))
	}
	list, err := n.check(ctx, q)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := staying(ctx)
	defer cancel()
	out, err = n.acceptAll(ctx, q, list)
	return out, false, err
}

// notifyOnce is notify for a request with an Idempotency-Key. What was answered is found
// before anything is checked, for it stays the answer when the request would be refused
// by now. A refusal is not remembered: it may be mended and sent again.
func (n *Notifier) notifyOnce(ctx context.Context, q request, mine answer) (out []byte, replayed bool, err error) {
	known, found, err := n.answers.find(ctx, q.key, mine)
	if err != nil {
		return nil, false, err
	}
	if known.Body != nil {
		return known.Body, true, nil
	}
	if found {
		// It was interrupted, or is being carried out.
		q.ids, q.again = known.IDs, true
	}
	list, err := n.check(ctx, q)
	if err != nil {
		if found {
			err = n.forget(ctx, q, mine, err)
		}
		return nil, false, err
	}
	ctx, cancel := staying(ctx)
	defer cancel()
	if known, err = n.answers.begin(ctx, q.key, mine); err != nil {
		return nil, false, err
	}
	if known.Body != nil {
		return known.Body, true, nil
	}
	q.ids = known.IDs
	if known.Body, err = n.acceptAll(ctx, q, list); err != nil {
		return nil, false, n.forget(ctx, q, mine, err)
	}
	out, err = n.answers.end(ctx, q.key, known)
	return out, false, err
}

// forget forgets a request that ended in an error, if that is a refusal, and returns the
// error.
func (n *Notifier) forget(ctx context.Context, q request, mine answer, err error) error {
	if !refused(err) {
		return err
	}
	if e := n.answers.forget(ctx, q.key, mine); e != nil {
		return e // the key would refuse the mended request; this one may be sent again
	}
	return err
}

// staying returns a context that outlives the client: what has begun to be stored is
// carried out, for at most acceptWait.
func staying(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), acceptWait)
}

// acceptAll stores and begins, and makes the answer.
func (n *Notifier) acceptAll(ctx context.Context, q request, list []candidate) ([]byte, error) {
	accepted, err := n.accept(ctx, q, list)
	if err != nil {
		return nil, err
	}
	n.metrics.accept(accepted)
	var answer any = accepted
	if !q.batch {
		answer = accepted[0]
	}
	out, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("json.Marshal: %w", err)
	}
	return out, nil
}

// split returns the notifications of a document.
func split(body []byte) (documents []json.RawMessage, batch bool, err error) {
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte{'['}) {
		return []json.RawMessage{body}, false, nil
	}
	if err := httpx.DecodeJSON(bytes.NewReader(body), &documents); err != nil {
		return nil, true, err
	}
	switch {
	case len(documents) == 0:
		return nil, true, httpx.Bad("", route.CodeMissing, "There is no notification in the list.")
	case len(documents) > MaxBatch:
		return nil, true, httpx.Bad("", route.CodeTooMany, fmt.Sprintf("There are %d notifications; at most %d go into one request.", len(documents), MaxBatch))
	}
	return documents, true, nil
}

// problem makes what a caller should see of an error.
func problem(err error) error {
	switch {
	case errors.Is(err, ledger.ErrUnknown):
		return httpx.NewProblem(http.StatusNotFound, "unknown_notification", "There is no such notification, or not any more.").WithCause(err)
	case errors.Is(err, natsx.ErrAway), errors.Is(err, mesh.ErrNobody), errors.Is(err, context.DeadlineExceeded):
		return httpx.NewProblem(http.StatusServiceUnavailable, "notifier_unavailable", "Notifications can't be stored at the moment.").
			WithHint("Nothing is promised. Send it again with the same Idempotency-Key or id.").WithRetryAfter(retryAfter).WithCause(err)
	case errors.Is(err, ledger.ErrEntry), errors.Is(err, worker.ErrJob), errors.Is(err, planner.ErrEntry), errors.Is(err, natsx.ErrTooLarge):
		return httpx.Bad("", "not_storable", "That can't be stored as it is, neither now nor later.").WithCause(err)
	case errors.Is(err, deliver.ErrTooMany):
		return httpx.Bad("to", route.CodeTooMany, fmt.Sprintf("It goes to over %d people.", deliver.MaxMembers)).WithCause(err)
	case errors.Is(err, natsx.ErrFull):
		return httpx.NewProblem(http.StatusInsufficientStorage, "storage_full", "There is no room for more notifications.").WithCause(err)
	}
	return err
}
