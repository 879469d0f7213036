package httpx

import (
	"net/url"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// Param returns a parameter of a request's path as its sender meant it. Echo leaves the
// escapes in it whenever the path has one that it would not need, such as "%40", and takes
// them away otherwise. The error is a *Problem.
func Param(c echo.Context, name string) (string, error) {
	value := c.Param(name)
	if c.Request().URL.RawPath != "" {
		var err error
		if value, err = url.PathUnescape(value); err != nil {
			return "", badPath(name).WithCause(err)
		}
	}
	if !utf8.ValidString(value) {
		return "", badPath(name)
	}
	return value, nil
}

func badPath(name string) *Problem {
	return Bad(name, CodeBadPath, "This part of the path can't be read.").WithHint("Write it in UTF-8 and escape it once.")
}
