package httpx

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// What a page of another origin may send and see. The lists are fixed: they are
// what the API understands.
const (
	corsMethods = "GET, POST, PUT, DELETE"
	corsHeaders = "Authorization, Content-Type, Last-Event-ID, Idempotency-Key"
	corsExpose  = "X-Request-Id, Retry-After"
	// corsMaxAge is how long, in seconds, a browser remembers a preflight. Chromium
	// stops at two hours; ten minutes is short enough to take an origin back.
	corsMaxAge = "600"
)

// cors decides which origins may read answers.
type cors struct {
	listed map[string]bool
	any    bool // "*" is listed
}

func newCORS(origins []string) *cors {
	o := &cors{listed: make(map[string]bool, len(origins))}
	for _, s := range origins {
		if s == "*" {
			o.any = true
			continue
		}
		o.listed[s] = true
	}
	return o
}

// apply sets the headers of a cross-origin answer. It reports whether it answered
// the request, which it does for a preflight.
func (o *cors) apply(c echo.Context) (handled bool, err error) {
	if len(o.listed) == 0 && !o.any {
		return false, nil
	}
	r, h := c.Request(), c.Response().Header()
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	// A cache must not give one origin the answer for another, not even the answer
	// to a request without an origin.
	h.Add(echo.HeaderVary, echo.HeaderOrigin)
	origin := r.Header.Get(echo.HeaderOrigin)
	if origin == "" {
		return false, nil
	}
	switch {
	case o.listed[origin]:
		h.Set(echo.HeaderAccessControlAllowOrigin, origin)
		h.Set(echo.HeaderAccessControlAllowCredentials, "true")
	case o.any:
		h.Set(echo.HeaderAccessControlAllowOrigin, "*")
	case preflight:
		return false, NewProblem(http.StatusForbidden, CodeOriginNotAllowed, "Pages of this origin may not use this API.").
			WithHint("Add the origin to TIDINGS_ORIGINS, exactly as the browser sends it.")
	default:
		// Without the header the browser keeps the answer from the page.
		return false, nil
	}
	if !preflight {
		h.Set(echo.HeaderAccessControlExposeHeaders, corsExpose)
		return false, nil
	}
	h.Set(echo.HeaderAccessControlAllowMethods, corsMethods)
	h.Set(echo.HeaderAccessControlAllowHeaders, corsHeaders)
	h.Set(echo.HeaderAccessControlMaxAge, corsMaxAge)
	return true, c.NoContent(http.StatusNoContent)
}
