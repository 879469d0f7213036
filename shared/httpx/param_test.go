package httpx_test

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
)

// TestParam reads parameters with escapes that are needed, that are not, and both.
func TestParam(t *testing.T) {
	t.Parallel()
	e := httpx.NewEcho(httpx.EchoConfig{})
	e.GET("/things/:id/parts/:part", func(c echo.Context) error {
		id, err := httpx.Param(c, "id")
		if err != nil {
			return err
		}
		part, err := httpx.Param(c, "part")
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, id+" "+part)
	})
	for path, want := range map[string]string{
		"/things/a/parts/b":                 "a b",
		"/things/a@x/parts/b":               "a@x b",
		"/things/a%40x/parts/b":             "a@x b",
		"/things/a%2Fx/parts/b%20c":         "a/x b c",
		"/things/a%3Ax/parts/b%252F":        "a:x b%2F",
		"/things/a%2540/parts/b":            "a%40 b", // once, and not twice
		"/things/%C3%A9/parts/b+c":          "é b+c",
		"/things/%C3%A9%40/parts/b%2Bc":     "é@ b+c",
		"/things/a=40x/parts/user.a%3D40x":  "a=40x user.a=40x",
		"/things/a%40x/parts/all%2Fof%2Fit": "a@x all/of/it",
	} {
		if w := ask(e, http.MethodGet, path, ""); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", path, w.Code, w.Body, want)
		}
	}
	for path, param := range map[string]string{"/things/%FF/parts/b": "id", "/things/a/parts/%FF%40": "part"} {
		w := ask(e, http.MethodGet, path, "")
		if p := problem(t, w); w.Code != http.StatusBadRequest || p.Code != "bad_path" || p.Param != param {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
