package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/stream"
)

// defaultPage is how many events a page of history holds unless asked for more.
const defaultPage = 100

// history is GET /v1/topics/:topic/events?after=&limit=: what the log holds of one
// topic or pattern, oldest first.
func (e *Edge) history(c echo.Context) error {
	g := httpx.Grant(c)
	topic, err := httpx.Param(c, "topic")
	if err != nil {
		return err
	}
	p, err := mayRead("topic", topic, g)
	if err != nil {
		return err
	}
	q, err := historyQuery(c.Request().URL.RawQuery)
	if err != nil {
		return err
	}
	q.Pattern = p
	page, err := e.cfg.Log.Range(c.Request().Context(), q)
	if err != nil {
		return stream.Problem(err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSONBlob(http.StatusOK, appendPage(nil, page))
}

func historyQuery(raw string) (stream.Query, error) {
	q := stream.Query{Limit: defaultPage}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return q, httpx.Bad("query", "bad_query", "The query string is malformed.")
	}
	for name := range query {
		if name != "after" && name != "limit" {
			return q, httpx.Bad(name, "unknown_parameter", "There is no such parameter here.").WithHint("Known are after and limit.")
		}
	}
	if s := query.Get("after"); s != "" {
		if q.After, err = event.ParseCursor(s); err != nil {
			return q, badCursor("after", err)
		}
	}
	if s := query.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 || q.Limit > stream.MaxPage {
			return q, httpx.Bad("limit", "bad_limit", fmt.Sprintf("limit must be a whole number from 1 to %d.", stream.MaxPage))
		}
	}
	return q, nil
}

// appendPage appends {"events":[…],"cursor":"…","more":…,"gone":…}. gone says that
// events between after and the first one here were dropped.
func appendPage(dst []byte, page stream.Page) []byte {
	dst = append(dst, `{"events":[`...)
	for i, en := range page.Entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = en.Event.AppendJSONCursor(dst, event.Cursor{Epoch: page.Next.Epoch, Seq: en.Seq})
	}
	dst = append(dst, `],"cursor":"`...)
	dst = page.Next.Append(dst)
	dst = append(dst, `","more":`...)
	dst = strconv.AppendBool(dst, page.More)
	dst = append(dst, `,"gone":`...)
	dst = strconv.AppendBool(dst, page.Gone)
	return append(dst, "}\n"...)
}
