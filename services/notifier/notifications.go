package notifier

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/notifier/deliver"
	"tidings/services/notifier/timeline"
	"tidings/shared/httpx"
	"tidings/shared/ledger"
)

const (
	// defaultPage and maxPage are how many notifications a page of the list has.
	defaultPage, maxPage = 50, ledger.MaxRecent
)

// Row is a notification in the list. Its JSON is part of the API.
type Row struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	From     string    `json:"from,omitempty"`
	Category string    `json:"category"`
	Severity string    `json:"severity"`
	Title    string    `json:"title,omitempty"`
	Template string    `json:"template,omitempty"`
	To       []string  `json:"to"`
	Due      time.Time `json:"due,omitzero"`
	Repeats  bool      `json:"repeats,omitempty"`
}

// Page is a page of the list, the newest first. Its JSON is part of the API.
type Page struct {
	Notifications []Row `json:"notifications"`
	// Next is what to ask before for the next page; 0 means that there is none.
	Next uint64 `json:"next,omitempty"`
}

// maxShownRecipients bounds the recipients of a row; it is a list, and no document.
const maxShownRecipients = 5

// list returns a page of the notifications before a sequence, 0 for the newest.
func (n *Notifier) list(ctx context.Context, before uint64, limit int) (Page, error) {
	recent, err := n.cfg.Ledger.Recent(ctx, before, limit)
	if err != nil {
		return Page{}, fmt.Errorf("read the notifications: %w", err)
	}
	out := Page{Notifications: make([]Row, 0, len(recent.Requests))}
	for _, r := range recent.Requests {
		t, err := timeline.Build(r.ID, []ledger.Entry{r.Entry}, nil, false)
		if err != nil {
			return Page{}, err
		}
		to := t.To
		if len(to) > maxShownRecipients {
			to = append(to[:maxShownRecipients:maxShownRecipients], fmt.Sprintf("and %d more", len(to)-maxShownRecipients))
		}
		out.Notifications = append(out.Notifications, Row{
			ID: t.ID, At: t.At, From: t.From, Category: t.Category, Severity: t.Severity, Title: t.Title, Template: t.Template,
			To: to, Due: t.Due, Repeats: t.Repeats,
		})
	}
	if recent.More {
		out.Next = recent.Next
	}
	return out, nil
}

// show returns the timeline of a notification.
func (n *Notifier) show(ctx context.Context, id string) (timeline.Timeline, error) {
	entries, more, err := n.cfg.Ledger.Read(ctx, id)
	if err != nil {
		return timeline.Timeline{}, fmt.Errorf("read the notification: %w", err)
	}
	receipts, moreReceipts, err := n.cfg.Queue.Timeline(ctx, id)
	if err != nil {
		return timeline.Timeline{}, fmt.Errorf("read its receipts: %w", err)
	}
	planned, morePlanned, err := n.planner.List(ctx, id)
	if err != nil {
		return timeline.Timeline{}, fmt.Errorf("read its plan: %w", err)
	}
	t, err := timeline.Build(id, entries, receipts, more || moreReceipts || morePlanned)
	for _, p := range planned {
		t.Planned = append(t.Planned, timeline.Planned{At: p.Due, What: p.Kind, User: p.User, Channel: p.Channel})
	}
	return t, err
}

// cancel gives up what has not begun of a notification, and returns how many entries of
// the plan that were. What is on its way goes on.
func (n *Notifier) cancel(ctx context.Context, id, by string) (int, error) {
	_, found, err := n.cfg.Ledger.Part(ctx, id, deliver.RequestPart)
	if err != nil {
		return 0, fmt.Errorf("read the notification: %w", err)
	}
	if !found {
		return 0, ledger.ErrUnknown
	}
	// The note goes first: whoever repeats the request must not plan it again.
	_, _, err = n.cfg.Ledger.Put(ctx, id, ledger.Entry{
		At: n.cfg.Now().UTC(), Kind: ledger.KindNote, Part: deliver.CanceledPart, User: by, Reason: deliver.CanceledPart,
	})
	if err != nil {
		return 0, fmt.Errorf("note it: %w", err)
	}
	gone, err := n.planner.CancelAll(ctx, id)
	if err != nil {
		return gone, fmt.Errorf("take it out of the plan: %w", err)
	}
	return gone, nil
}

// listNotifications is GET /v1/notifications.
func (n *Notifier) listNotifications(c echo.Context) error {
	before, limit, err := page(c)
	if err != nil {
		return err
	}
	out, err := n.list(c.Request().Context(), before, limit)
	if err != nil {
		return problem(err)
	}
	return answered(c, out)
}

// showNotification is GET /v1/notifications/:id.
func (n *Notifier) showNotification(c echo.Context) error {
	id, err := httpx.Param(c, "id")
	if err != nil {
		return err
	}
	out, err := n.show(c.Request().Context(), id)
	if err != nil {
		return problem(err)
	}
	return answered(c, out)
}

// cancelNotification is DELETE /v1/notifications/:id.
func (n *Notifier) cancelNotification(c echo.Context) error {
	id, err := httpx.Param(c, "id")
	if err != nil {
		return err
	}
	gone, err := n.cancel(c.Request().Context(), id, httpx.Grant(c).User)
	if err != nil {
		return problem(err)
	}
	return answered(c, map[string]int{"canceled": gone})
}

// answered answers with what must not be kept by anybody on the way.
func answered(c echo.Context, v any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, v)
}

// page reads the parameters of a list whose pages are named by sequences.
func page(c echo.Context) (before uint64, limit int, err error) {
	if limit, err = limitOf(c, maxPage); err != nil {
		return 0, 0, err
	}
	if s := c.QueryParam("before"); s != "" {
		if before, err = strconv.ParseUint(s, 10, 64); err != nil {
			return 0, 0, httpx.Bad("before", "bad_page", "The page is not one of this list's.")
		}
	}
	return before, limit, nil
}

// limitOf reads the parameter that says how many a page has.
func limitOf(c echo.Context, most int) (int, error) {
	s := c.QueryParam("limit")
	if s == "" {
		return defaultPage, nil
	}
	limit, err := strconv.Atoi(s)
	if err != nil || limit < 1 || limit > most {
		return 0, badLimit(most)
	}
	return limit, nil
}

func badLimit(most int) error {
	return httpx.Bad("limit", "bad_limit", fmt.Sprintf("The limit is 1 to %d.", most))
}

// answerNotifications is the question "notifications": {"before","limit"}.
func (n *Notifier) answerNotifications(ctx context.Context, body []byte) (any, error) {
	var q struct {
		Before uint64 `json:"before"`
		Limit  int    `json:"limit"`
	}
	if err := httpx.DecodeJSON(bytes.NewReader(body), &q); err != nil {
		return nil, err
	}
	q.Limit = cmp.Or(q.Limit, defaultPage)
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, badLimit(maxPage)
	}
	return n.list(ctx, q.Before, q.Limit)
}

// answerNotification is the question "notification": {"id"}.
func (n *Notifier) answerNotification(ctx context.Context, body []byte) (any, error) {
	var q struct {
		ID string `json:"id"`
	}
	if err := httpx.DecodeJSON(bytes.NewReader(body), &q); err != nil {
		return nil, err
	}
	return n.show(ctx, q.ID)
}
