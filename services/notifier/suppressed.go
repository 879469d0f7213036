package notifier

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"tidings/services/notifier/route"
	"tidings/shared/httpx"
	"tidings/shared/suppress"
)

// maxEntry bounds the body of a request about the suppression list in bytes.
const maxEntry = 4 << 10

// channelAddress reads the channel and the address of a path.
func channelAddress(c echo.Context) (channel, address string, err error) {
	if channel, err = httpx.Param(c, "channel"); err != nil {
		return "", "", err
	}
	address, err = httpx.Param(c, "address")
	return channel, address, err
}

// showSuppressed is GET /v1/suppressed/:channel/:address: why an address is not used.
func (n *Notifier) showSuppressed(c echo.Context) error {
	channel, address, err := channelAddress(c)
	if err != nil {
		return err
	}
	entries, err := n.cfg.Suppressed.Of(c.Request().Context(), channel, address)
	if err != nil {
		return suppressedProblem(err)
	}
	if entries == nil {
		entries = []suppress.Entry{}
	}
	return answered(c, map[string]any{"entries": entries})
}

// addSuppressed is PUT /v1/suppressed/:channel/:address {"category","detail"}: an
// operator blocks the address.
func (n *Notifier) addSuppressed(c echo.Context) error {
	channel, address, err := channelAddress(c)
	if err != nil {
		return err
	}
	body, err := httpx.ReadBody(c, maxEntry)
	if err != nil {
		return err
	}
	var why struct {
		Category string `json:"category"`
		Detail   string `json:"detail"`
	}
	if len(body) > 0 {
		if err := httpx.DecodeJSON(bytes.NewReader(body), &why); err != nil {
			return err
		}
	}
	if _, ok := n.cfg.Categories[why.Category]; why.Category != "" && !ok {
		return httpx.Bad("category", "unknown_category", "The category is none of this installation's.")
	}
	if strings.ContainsFunc(why.Detail, unicode.IsControl) {
		return httpx.Bad("detail", route.CodeBadCharacter, "The detail holds a line break or a control character.")
	}
	if !suppressible(channel, address) {
		return suppressedProblem(suppress.ErrAddress)
	}
	e := suppress.Entry{Cause: suppress.Blocked, Category: why.Category, At: n.cfg.Now().UTC(), Detail: why.Detail}
	if err := n.cfg.Suppressed.Add(c.Request().Context(), channel, address, e); err != nil {
		return suppressedProblem(err)
	}
	n.log.Info("an address was suppressed", "channel", channel, "by", httpx.Grant(c).User)
	return n.showSuppressed(c)
}

// suppressible reports whether there can be such an address.
func suppressible(channel, address string) bool {
	p := route.Person{User: "somebody"}
	switch route.Channel(channel) {
	case route.Mail:
		p.Email = address
	case route.SMS:
		p.Phone = address
	case route.Inbox, route.Push, route.Hook:
		return false
	}
	return address != "" && p.Email+p.Phone != "" && p.Check() == nil
}

// clearSuppressed is DELETE /v1/suppressed/:channel/:address: it may be used again.
func (n *Notifier) clearSuppressed(c echo.Context) error {
	channel, address, err := channelAddress(c)
	if err != nil {
		return err
	}
	if err := n.cfg.Suppressed.Clear(c.Request().Context(), channel, address); err != nil {
		return suppressedProblem(err)
	}
	n.log.Info("an address is no longer suppressed", "channel", channel, "by", httpx.Grant(c).User)
	return c.NoContent(http.StatusNoContent)
}

// suppressedProblem makes what a caller should see of an error of the list.
func suppressedProblem(err error) error {
	switch {
	case errors.Is(err, suppress.ErrAddress):
		return httpx.Bad("address", "bad_address", "That can't be an address of this channel.").WithCause(err)
	case errors.Is(err, suppress.ErrEntry):
		return httpx.Bad("category", "bad_entry", "That can't be put on the list.").WithCause(err)
	}
	return problem(err)
}

// administering lets nobody pass but administrators.
func administering(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if g := httpx.Grant(c); g == nil || !g.Admin {
			return httpx.NewProblem(http.StatusForbidden, "admin_needed", "The token may not see or change who is suppressed.").
				WithHint("It needs the claim tidings.admin.")
		}
		return next(c)
	}
}
