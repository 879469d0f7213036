package mailbox

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
)

const (
	// apiPath is below what the API is served.
	apiPath = "/console/api/mailbox"
	// defaultPage is how many rows a page of the list has unless asked for more or fewer,
	// which may be maxPage at most.
	defaultPage, maxPage = 50, 200
	// maxQuery bounds what is searched for, in bytes.
	maxQuery = 200
)

// Routes adds the API to e, which httpx.NewEcho made. It works whether Run does or not.
func (m *Mailbox) Routes(e *echo.Echo) {
	operators := []echo.MiddlewareFunc{uncached, httpx.Authenticate(m.config.Auth), operator}
	e.GET(apiPath, m.list, operators...)
	e.DELETE(apiPath, m.empty, operators...)
	e.GET(apiPath+"/faults", m.listFaults, operators...)
	e.POST(apiPath+"/faults", m.armFault, operators...)
	e.DELETE(apiPath+"/faults", m.clearFaults, operators...)
	e.DELETE(apiPath+"/faults/:fault", m.clearFault, operators...)
	e.GET(apiPath+"/:id", m.show, operators...)
	e.DELETE(apiPath+"/:id", m.remove, operators...)
	viewers := []echo.MiddlewareFunc{uncached, m.viewer(httpx.Authenticate(m.config.Auth))}
	e.GET(apiPath+"/:id/html", m.showHTML, viewers...)
	e.GET(apiPath+"/:id/text", m.showText, viewers...)
	e.GET(apiPath+"/:id/source", m.showSource, viewers...)
	e.GET(apiPath+"/:id/attachments/:n", m.showFile, viewers...)
}

// uncached keeps every answer out of caches.
func uncached(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		ctx.Response().Header().Set("Cache-Control", "no-store")
		return next(ctx)
	}
}

// operator lets only operators through.
func operator(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		if g := httpx.Grant(ctx); g == nil || !g.Admin {
			return httpx.NewProblem(http.StatusForbidden, "admin_needed", "This is for operators.").
				WithHint("The token needs the claim tidings.admin.")
		}
		return next(ctx)
	}
}

// viewer lets operators through, and whoever has a pass for the mail.
func (m *Mailbox) viewer(authenticate echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		asked := authenticate(operator(next))
		return func(ctx echo.Context) error {
			given := ctx.QueryParam("pass")
			if given == "" {
				return asked(ctx)
			}
			id, err := idOf(ctx)
			if err != nil {
				return err
			}
			if !m.pass.good(given, id, time.Now()) {
				return httpx.NewProblem(http.StatusForbidden, "bad_pass", "This address is no longer good.").WithParam("pass").
					WithHint("Read the mail again: the answer has fresh addresses.")
			}
			return next(ctx)
		}
	}
}

// audit writes down what an operator did.
func (m *Mailbox) audit(ctx echo.Context, did string, args ...any) {
	args = append([]any{"did", did, "operator", httpx.Grant(ctx).User, "ip", ctx.RealIP()}, args...)
	m.log.InfoContext(ctx.Request().Context(), "audit", args...)
}

// page is the body of GET mailbox.
type page struct {
	Mails []Row `json:"mails"`
	// Next is the "before" of the next page, absent on the last one.
	Next int64 `json:"next,omitzero"`
	// Total and Bytes are of all that is kept, whatever was searched for.
	Total int   `json:"total"`
	Bytes int64 `json:"bytes"`
	// Faults counts those that are armed.
	Faults int `json:"faults"`
	// SMTP is where mail is taken.
	SMTP string `json:"smtp"`
}

// list is GET mailbox.
func (m *Mailbox) list(ctx echo.Context) error {
	q, err := query(ctx, "limit", "before", "q")
	if err != nil {
		return err
	}
	limit, err := number(q.Get("limit"), "limit")
	if err != nil {
		return err
	}
	before, err := number(q.Get("before"), "before")
	if err != nil {
		return err
	}
	switch {
	case limit > maxPage:
		return httpx.Bad("limit", "bad_limit", "limit must be 200 at most.")
	case limit == 0:
		limit = defaultPage
	}
	if len(q.Get("q")) > maxQuery {
		return httpx.Bad("q", "bad_q", "q must have at most 200 bytes.")
	}
	body := page{SMTP: m.URL(), Faults: len(m.faults.list())}
	var more bool
	body.Mails, more = m.box.list(int(limit), before, q.Get("q"))
	if more {
		body.Next = body.Mails[len(body.Mails)-1].ID
	}
	body.Total, body.Bytes = m.box.size()
	return ctx.JSON(http.StatusOK, body)
}

// empty is DELETE mailbox.
func (m *Mailbox) empty(ctx echo.Context) error {
	n := m.box.remove(0)
	m.audit(ctx, "mailbox_empty", "deleted", n)
	return ctx.JSON(http.StatusOK, map[string]int{"deleted": n})
}

// remove is DELETE mailbox/:id.
func (m *Mailbox) remove(ctx echo.Context) error {
	id, err := idOf(ctx)
	if err != nil {
		return err
	}
	n := m.box.remove(id)
	if n == 0 {
		return unknown()
	}
	m.audit(ctx, "mailbox_delete", "mail", id)
	return ctx.JSON(http.StatusOK, map[string]int{"deleted": n})
}

// listFaults is GET mailbox/faults.
func (m *Mailbox) listFaults(ctx echo.Context) error {
	return ctx.JSON(http.StatusOK, map[string][]Fault{"faults": m.faults.list()})
}

// armFault is POST mailbox/faults.
func (m *Mailbox) armFault(ctx echo.Context) error {
	var body struct {
		Stage     string `json:"stage"`
		Code      *int   `json:"code"` // 0 means something, so it must be said
		Text      string `json:"text"`
		Times     int    `json:"times"`
		Recipient string `json:"recipient"`
	}
	if err := httpx.DecodeJSON(ctx.Request().Body, &body); err != nil {
		return err
	}
	if body.Code == nil {
		return httpx.Bad("code", "bad_fault", "Say which code the client is told, or 0 to end the connection.")
	}
	f := Fault{Stage: body.Stage, Code: *body.Code, Text: body.Text, Times: body.Times, Recipient: body.Recipient}
	if field, why := f.complete(); field != "" {
		return httpx.Bad(field, "bad_fault", why)
	}
	f, err := m.faults.arm(f, time.Now())
	if err != nil { // there are too many
		return httpx.NewProblem(http.StatusConflict, "faults_full", "As many faults are armed as may be.").
			WithHint("Clear some of them.").WithCause(err)
	}
	m.audit(ctx, "mailbox_fault", "fault", f.ID, "stage", f.Stage, "code", f.Code, "times", f.Times)
	return ctx.JSON(http.StatusCreated, f)
}

// clearFaults is DELETE mailbox/faults.
func (m *Mailbox) clearFaults(ctx echo.Context) error {
	n := m.faults.clear(0)
	m.audit(ctx, "mailbox_clear_faults", "cleared", n)
	return ctx.JSON(http.StatusOK, map[string]int{"cleared": n})
}

// clearFault is DELETE mailbox/faults/:fault.
func (m *Mailbox) clearFault(ctx echo.Context) error {
	id, err := strconv.Atoi(ctx.Param("fault"))
	if err != nil || id < 1 || m.faults.clear(id) == 0 {
		return httpx.NewProblem(http.StatusNotFound, "fault_unknown", "There is no such fault, or it has struck for the last time.").WithParam("fault")
	}
	m.audit(ctx, "mailbox_clear_faults", "fault", id)
	return ctx.JSON(http.StatusOK, map[string]int{"cleared": 1})
}

// unknown is the answer about a mail that is not there.
func unknown() error {
	return httpx.NewProblem(http.StatusNotFound, "mail_unknown", "There is no such mail, or it has made room for newer ones.").WithParam("id")
}

// idOf reads the id of a mail.
func idOf(ctx echo.Context) (int64, error) {
	id, err := strconv.ParseInt(ctx.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, unknown()
	}
	return id, nil
}

// query reads the parameters of a request, each known and there once.
func query(ctx echo.Context, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(ctx.Request().URL.RawQuery)
	if err != nil {
		return nil, httpx.Bad("query", "bad_query", "The query string is malformed.")
	}
	for name, values := range q {
		switch {
		case !slices.Contains(known, name):
			return nil, httpx.Bad(name, "unknown_parameter", "There is no such parameter here.").WithHint("Known are " + strings.Join(known, ", ") + ".")
		case len(values) > 1:
			return nil, httpx.Bad(name, "bad_query", "The parameter is there more than once.")
		}
	}
	return q, nil
}

// number reads a whole number from 1 on, 0 if there is none.
func number(s, name string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, httpx.Bad(name, "bad_"+name, name+" must be a whole number from 1 on.")
	}
	return n, nil
}
