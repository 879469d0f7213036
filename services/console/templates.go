package console

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
	"tidings/shared/template"
)

const (
	// maxLocale bounds the locale of a preview in bytes, as templates do.
	maxLocale = 64
	// previewPolicy is what the HTML of a preview may do: look as it will in a mail
	// program, with pictures but without scripts, and open links elsewhere.
	previewPolicy = "default-src 'none'; img-src data: https:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)

// preview is the body of GET templates/:name.
type preview struct {
	template.Info
	// Locale is the one that was asked for, "" for the sample's own.
	Locale string `json:"locale"`
	// Title and Body are what an inbox, a push or an SMS gets.
	Title string `json:"title"`
	Body  string `json:"body"`
	template.Mail
	// HTMLURL is where a frame can load the HTML from; it is good for a quarter of an
	// hour.
	HTMLURL string `json:"html_url"`
}

// previews registers the routes of templates.
func (c *Console) previews(e *echo.Echo, known, operators []echo.MiddlewareFunc) {
	e.GET(apiPath+"/templates", c.listTemplates, operators...)
	e.GET(apiPath+"/templates/:name", c.showTemplate, operators...)
	// A frame can't send a token: the address carries a pass instead.
	e.GET(apiPath+"/templates/:name/html", c.frameTemplate, known...)
}

// set returns the templates, or why there are none.
func (c *Console) set() (*template.Set, error) {
	if c.cfg.Templates == nil {
		return nil, unavailable("templates")
	}
	return c.cfg.Templates(), nil
}

// listTemplates is GET templates.
func (c *Console) listTemplates(ctx echo.Context) error {
	if _, err := query(ctx); err != nil {
		return err
	}
	set, err := c.set()
	if err != nil {
		return err
	}
	return ctx.JSON(http.StatusOK, map[string]any{"templates": present(set.Names())})
}

// showTemplate is GET templates/:name: a template rendered with its sample.
func (c *Console) showTemplate(ctx echo.Context) error {
	q, err := query(ctx, "locale")
	if err != nil {
		return err
	}
	p, err := c.render(ctx.Param("name"), q.Get("locale"))
	if err != nil {
		return err
	}
	values := url.Values{"pass": {c.pass.of(p.Name+" "+p.Locale, time.Now())}}
	if p.Locale != "" {
		values.Set("locale", p.Locale)
	}
	p.HTMLURL = apiPath + "/templates/" + url.PathEscape(p.Name) + "/html?" + values.Encode()
	return ctx.JSON(http.StatusOK, p)
}

// frameTemplate is GET templates/:name/html: the HTML alone, for a frame.
func (c *Console) frameTemplate(ctx echo.Context) error {
	q, err := query(ctx, "locale", "pass")
	if err != nil {
		return err
	}
	name, locale := ctx.Param("name"), q.Get("locale")
	if !c.pass.good(q.Get("pass"), name+" "+locale, time.Now()) {
		return httpx.NewProblem(http.StatusForbidden, "bad_pass", "The address is not good any more.").WithParam("pass").
			WithHint("The page has a fresh one when the template is opened again.")
	}
	p, err := c.render(name, locale)
	if err != nil {
		return err
	}
	ctx.Response().Header().Set("Content-Security-Policy", previewPolicy)
	ctx.Response().Header().Set("Referrer-Policy", "no-referrer")
	return ctx.HTML(http.StatusOK, p.HTML)
}

// render renders a template with its sample.
func (c *Console) render(name, locale string) (preview, error) {
	set, err := c.set()
	if err != nil {
		return preview{}, err
	}
	if len(locale) > maxLocale {
		return preview{}, httpx.Bad("locale", "bad_locale", "A locale has at most 64 bytes.")
	}
	p := preview{Locale: locale}
	for _, info := range set.Names() {
		if info.Name == name {
			p.Info = info
		}
	}
	if p.Name == "" {
		return preview{}, httpx.NewProblem(http.StatusNotFound, "template_unknown", "There is no such template.").WithParam("name")
	}
	in := set.Sample(name)
	if locale != "" {
		in.Locale = locale
	}
	if p.Title, p.Body, err = set.Text(name, in); err == nil {
		p.Mail, err = set.Mail(name, in)
	}
	if err != nil {
		return preview{}, templateProblem(err)
	}
	return p, nil
}

// templateProblem explains why a template can't be rendered. What it says is about the
// operator's own files.
func templateProblem(err error) error {
	_, missing := errors.AsType[*template.MissingError](err)
	_, broken := errors.AsType[*template.RenderError](err)
	if missing || broken {
		return httpx.NewProblem(http.StatusUnprocessableEntity, "template_fails", "The template fails with its sample: "+err.Error()+".").WithCause(err)
	}
	return err
}
