package httpx

import (
	"strings"

	"github.com/labstack/echo/v4"

	"tidings/shared/auth"
)

// grantKey is where Authenticate keeps the grant in Echo's context.
const grantKey = "tidings.grant"

// Authenticate returns middleware that lets only those through whom a knows. Others
// get 401 with WWW-Authenticate, 403 when a foreign page used the cookie, or 503
// with Retry-After while the keys cannot be fetched. Handlers ask Grant.
func Authenticate(a *auth.Authenticator) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			g, err := a.Authenticate(c.Request())
			if err != nil {
				return err
			}
			c.Set(grantKey, g)
			return next(c)
		}
	}
}

// Grant returns what the caller may do, or nil if Authenticate did not run. A nil
// Grant is safe to ask and allows nothing.
func Grant(c echo.Context) *auth.Grant {
	g, _ := c.Get(grantKey).(*auth.Grant)
	return g
}

// challenge is the WWW-Authenticate header of RFC 6750 for a refused credential.
// Without a credential it names no error, as the RFC asks.
func challenge(e *auth.Error) string {
	const scheme = `Bearer realm="tidings"`
	if e.Code == auth.CodeTokenMissing {
		return scheme
	}
	return scheme + `, error="invalid_token", error_description="` + quotable(sentence(e.Reason)) + `"`
}

// quotable keeps what RFC 6750 allows in an error_description: printable ASCII
// without quotes and backslashes.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < 0x20 || r > 0x7e || r == '\\':
			return -1
		}
		return r
	}, s)
}
