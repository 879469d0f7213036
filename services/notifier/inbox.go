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

	"tidings/services/notifier/deliver"
	"tidings/services/notifier/inbox"
	"tidings/services/notifier/planner"
	"tidings/services/notifier/route"
	"tidings/shared/httpx"
	"tidings/shared/worker"
)

// answerInbox is the question "inbox": {"user","query":{"limit","before","category","filter"}}.
func (n *Notifier) answerInbox(ctx context.Context, body []byte) (any, error) {
	var q struct {
		User  string            `json:"user"`
		Query map[string]string `json:"query"`
	}
	if err := httpx.DecodeJSON(bytes.NewReader(body), &q); err != nil {
		return nil, err
	}
	query, err := parseQuery(q.Query)
	if err != nil {
		return nil, err
	}
	v, err := n.cfg.Inbox.View(ctx, q.User)
	if err != nil {
		return nil, inboxProblem(err)
	}
	p := v.Page(query)
	return InboxPage{Items: p.Entries, Unread: v.Unread, Unseen: v.Unseen, State: v.State, Next: p.Next}, nil
}

// InboxPage is a page of a person's inbox. Its JSON is part of the API; the edge adds
// the cursor to stream on from.
type InboxPage struct {
	Items  []inbox.Entry `json:"items"`
	Unread int           `json:"unread"`
	Unseen int           `json:"unseen"`
	State  inbox.State   `json:"state"`
	// Next is what to ask before for the next page.
	Next int64 `json:"next,omitempty"`
}

// parseQuery reads the parameters of GET /v1/inbox.
func parseQuery(p map[string]string) (inbox.Query, error) {
	var q inbox.Query
	for name, value := range p {
		var err error
		switch name {
		case "limit":
			if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > inbox.MaxPage {
				return q, httpx.Bad(name, "bad_limit", fmt.Sprintf("The limit is 1 to %d.", inbox.MaxPage))
			}
		case "before":
			if q.Before, err = strconv.ParseInt(value, 10, 64); err != nil || q.Before < 1 {
				return q, httpx.Bad(name, "bad_page", "The page is not one of this inbox's.")
			}
		case "category":
			q.Category = value
		case "filter":
			if q.Filter = inbox.Filter(value); !q.Filter.Known() {
				return q, httpx.Bad(name, "bad_filter", "The filter is unread, archived, snoozed or all.")
			}
		default:
			return q, httpx.Bad(name, "unknown_parameter", "There is no such parameter.")
		}
	}
	return q, nil
}

// answerInboxState is the question "inbox-state": {"user","ops":{…}}.
func (n *Notifier) answerInboxState(ctx context.Context, body []byte) (any, error) {
	var q struct {
		User string          `json:"user"`
		Ops  json.RawMessage `json:"ops"`
	}
	if err := httpx.DecodeJSON(bytes.NewReader(body), &q); err != nil {
		return nil, err
	}
	op, err := inbox.ParseOp(q.Ops)
	if err != nil {
		return nil, inboxProblem(err)
	}
	v, err := n.cfg.Inbox.Change(ctx, q.User, op)
	if err != nil {
		return nil, inboxProblem(err)
	}
	for _, z := range v.Snoozed {
		number := strconv.FormatInt(z.N, 10)
		err := n.planner.Plan(ctx, planner.Entry{
			Key: worker.KeyOf(q.User, "wake", number), Due: z.Until, User: q.User, Kind: deliver.PlanWake, Body: json.RawMessage(number),
		})
		if err != nil {
			return nil, fmt.Errorf("plan its waking: %w", err)
		}
	}
	return map[string]any{"state": v.State, "unread": v.Unread, "unseen": v.Unseen}, nil
}

// inboxProblem makes what a caller should see of an error of the inbox.
func inboxProblem(err error) error {
	if e, ok := errors.AsType[*inbox.OpError](err); ok {
		return httpx.Bad(e.Field, "bad_operation", "In the operation, "+e.Error()+".").WithCause(err)
	}
	switch {
	case errors.Is(err, inbox.ErrUser):
		return httpx.Bad("user", "bad_user", "That can't be anybody's id.").WithCause(err)
	case errors.Is(err, inbox.ErrUnknown):
		return httpx.NewProblem(http.StatusNotFound, "unknown_item", "None of these items is in the inbox.").WithCause(err)
	case errors.Is(err, inbox.ErrSnoozed):
		return httpx.NewProblem(http.StatusUnprocessableEntity, "too_many_snoozed", "Too many items are snoozed already.").WithCause(err)
	case errors.Is(err, inbox.ErrOp):
		return httpx.Bad("", "bad_operation", "That is no operation on an inbox.").WithCause(err)
	case errors.Is(err, inbox.ErrConflict):
		return httpx.NewProblem(http.StatusConflict, "inbox_busy", "The inbox is being changed by too many at once.").
			WithRetryAfter(time.Second).WithCause(err)
	}
	return err
}

// Preferences is what a person wants, and what there is to want. Its JSON is part of
// the API.
type Preferences struct {
	Preferences route.Preferences `json:"preferences"`
	// Categories are the installation's, with what is used by default.
	Categories map[string]CategoryInfo `json:"categories"`
	// Channels are those there are.
	Channels []route.Channel `json:"channels"`
}

// CategoryInfo is a category as the page of preferences shows it.
type CategoryInfo struct {
	Title    string          `json:"title"`
	Channels []route.Channel `json:"channels"`
	Digest   route.Digest    `json:"digest,omitzero"`
	// Transactional says that a general unsubscribe does not stop it.
	Transactional bool `json:"transactional,omitempty"`
}

// answerPreferences is the question "preferences": {"user","patch":{…}}, where patch is
// a JSON merge patch and may be left out.
func (n *Notifier) answerPreferences(ctx context.Context, body []byte) (any, error) {
	var q struct {
		User  string          `json:"user"`
		Patch json.RawMessage `json:"patch"`
	}
	if err := httpx.DecodeJSON(bytes.NewReader(body), &q); err != nil {
		return nil, err
	}
	var prefs route.Preferences
	var err error
	if len(q.Patch) > 0 {
		prefs, err = n.people.Patch(ctx, q.User, q.Patch)
	} else {
		prefs, _, err = n.people.Preferences(ctx, q.User)
	}
	if err != nil {
		return nil, err
	}
	out := Preferences{Preferences: prefs, Categories: map[string]CategoryInfo{}, Channels: n.cfg.Channels}
	if len(out.Channels) == 0 {
		out.Channels = route.Channels()
	}
	for name, c := range n.cfg.Categories {
		out.Categories[name] = CategoryInfo{Title: c.Title, Channels: c.Channels, Digest: c.Digest, Transactional: c.Transactional}
	}
	return out, nil
}
