package notifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tidings/services/notifier/route"
	"tidings/shared/httpx"
	"tidings/shared/ledger"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
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
	documents, batch, err := split(body)
	if err != nil {
		return nil, false, err
	}
	list, err := n.check(ctx, documents, batch)
	if err != nil {
		return nil, false, err
	}
	ids := newIDs(len(list))
	if key == "" {
		out, err = n.acceptAll(ctx, source, list, batch, ids)
		return out, false, err
	}
	// What is refused is not remembered: it may be mended and sent again.
	known, err := n.answers.begin(ctx, user, key, body, ids)
	if err != nil {
		return nil, false, err
	}
	if known.Body != nil {
		return known.Body, true, nil
	}
	if out, err = n.acceptAll(ctx, source, list, batch, known.IDs); err != nil {
		return nil, false, err
	}
	return out, false, n.answers.end(ctx, user, key, out)
}

// acceptAll stores and begins, and makes the answer.
func (n *Notifier) acceptAll(ctx context.Context, source string, list []candidate, batch bool, ids []string) ([]byte, error) {
	accepted, err := n.accept(ctx, source, list, ids)
	if err != nil {
		return nil, err
	}
	n.metrics.accept(accepted)
	var answer any = accepted
	if !batch {
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
	case errors.Is(err, natsx.ErrFull):
		return httpx.NewProblem(http.StatusInsufficientStorage, "storage_full", "There is no room for more notifications.").WithCause(err)
	}
	return err
}
