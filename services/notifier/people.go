package notifier

import (
	"bytes"
	"net/http"

	"github.com/labstack/echo/v4"

	"tidings/services/notifier/people"
	"tidings/services/notifier/route"
	"tidings/shared/httpx"
)

// errOther is the answer to whoever asks about somebody else.
var errOther = httpx.NewProblem(http.StatusForbidden, "people_denied", "The token may not see or change other people.").
	WithHint(`It needs the claim tidings.notify or tidings.admin. One's own locale and time zone need neither.`)

// putPerson is PUT /v1/people/:id. A person may change their own locale and time zone;
// everything else is for those who may notify.
func (n *Notifier) putPerson(c echo.Context) error {
	grant := httpx.Grant(c)
	id, err := httpx.Param(c, "id")
	if err != nil {
		return err
	}
	body, err := httpx.ReadBody(c, int64(people.MaxRecord))
	if err != nil {
		return err
	}
	if !mayNotify(grant) {
		if grant == nil || grant.User != id {
			return errOther
		}
		return n.putOwn(c, id, body)
	}
	record, err := people.ParseRecord(body, id)
	if err != nil {
		return err
	}
	if err := n.people.Put(c.Request().Context(), record); err != nil {
		return problem(err)
	}
	return answered(c, record)
}

// putOwn changes what a person may change of themselves.
func (n *Notifier) putOwn(c echo.Context, id string, body []byte) error {
	var own struct {
		Locale *string `json:"locale"`
		TZ     *string `json:"tz"`
	}
	if err := httpx.DecodeJSON(bytes.NewReader(body), &own); err != nil {
		return err
	}
	record, err := n.people.Edit(c.Request().Context(), id, func(r *people.Record) {
		if own.Locale != nil {
			r.Locale = *own.Locale
		}
		if own.TZ != nil {
			r.TZ = *own.TZ
		}
	})
	if err != nil {
		return problem(err)
	}
	return answered(c, record)
}

// showPerson is GET /v1/people/:id.
func (n *Notifier) showPerson(c echo.Context) error {
	grant := httpx.Grant(c)
	id, err := httpx.Param(c, "id")
	if err != nil {
		return err
	}
	if !mayNotify(grant) && (grant == nil || grant.User != id) {
		return errOther
	}
	record, known, err := n.people.Of(c.Request().Context(), id)
	if err != nil {
		return problem(err)
	}
	if !known {
		return httpx.NewProblem(http.StatusNotFound, "unknown_user", "There is nobody of this id on file.").WithParam("id")
	}
	return answered(c, record)
}

// erasePerson is DELETE /v1/people/:id: everything that is kept under the person's id is
// gone when it answers, whether they were known or not.
func (n *Notifier) erasePerson(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := httpx.Param(c, "id")
	if err != nil {
		return err
	}
	if err := (route.Person{User: id}).Check(); err != nil {
		return err
	}
	if err := n.deliver.Erase(ctx, id); err != nil {
		return problem(err)
	}
	if err := n.cfg.Inbox.Erase(ctx, id); err != nil {
		return problem(err)
	}
	// The record goes last, so that a request that was interrupted is seen to be.
	if err := n.people.Erase(ctx, id); err != nil {
		return problem(err)
	}
	return c.NoContent(http.StatusNoContent)
}

// importPeople is POST /v1/people: an array or NDJSON of people, checked as a whole.
func (n *Notifier) importPeople(c echo.Context) error {
	body, err := httpx.ReadBody(c, people.MaxBatchBytes)
	if err != nil {
		return err
	}
	records, err := people.ParseRecords(body)
	if err != nil {
		return err
	}
	if err := n.people.Import(c.Request().Context(), records); err != nil {
		return problem(err)
	}
	return answered(c, map[string]int{"stored": len(records)})
}

// listPeople is GET /v1/people?after=&limit=.
func (n *Notifier) listPeople(c echo.Context) error {
	limit, err := limitOf(c, people.MaxPage)
	if err != nil {
		return err
	}
	list, err := n.people.List(c.Request().Context(), c.QueryParam("after"), limit)
	if err != nil {
		return problem(err)
	}
	out := map[string]any{"people": list.Records}
	if list.Next != "" {
		out["next"] = list.Next
	}
	return answered(c, out)
}
