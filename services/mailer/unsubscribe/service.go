package unsubscribe

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
	"tidings/shared/telemetry"
)

const (
	// MinKey is the shortest key in bytes: anybody may try keys on a link they got.
	MinKey = 32
	// MaxKeys bounds the keys: one that signs, and those that links in old mails need.
	MaxKeys = 16
	// Path is where the links lead, below the public URL.
	Path = "/v1/unsubscribe/"
	// maxForm bounds a posted form in bytes; ours has two short fields, and RFC 8058's one.
	maxForm = 8 << 10
	// actTime bounds what a choice takes; the person waits for it.
	actTime = 10 * time.Second
	// retryAfter is when to try again after a choice could not be saved.
	retryAfter = 30 * time.Second
)

// Values of the form's fields.
const (
	scopeCategory = "category"
	scopeAll      = "all"
	doUnsubscribe = "unsubscribe"
	doUndo        = "undo"
	doAgain       = "again"
)

// The one field and value of RFC 8058.
const (
	oneClickField = "List-Unsubscribe"
	oneClickValue = "One-Click"
)

// Config is what a Service needs.
type Config struct {
	// Keys sign the links: the first one new links, and all of them are valid. At least
	// MinKey bytes each.
	Keys []telemetry.Secret
	// PublicURL is where people reach this installation, such as
	// "https://news.example.com"; it may end with a path. RFC 8058 wants https; http is
	// allowed for this machine only.
	PublicURL string
	// Brand is how the page calls the sender; may be "".
	Brand string
	// Label returns what people call a category. Nil means: as it is.
	Label func(category string) string
	// Actor does what people chose.
	Actor Actor
}

// Service makes the links and answers them.
type Service struct {
	keys   []telemetry.Secret
	base   string
	brand  string
	label  func(string) string
	actor  Actor
	page   *template.Template
	css    template.CSS
	policy string
}

// New returns a service. Errors tell every fault of the configuration.
func New(cfg Config) (*Service, error) {
	base, err := baseOf(cfg.PublicURL)
	faults := []error{err}
	if len(cfg.Keys) == 0 || len(cfg.Keys) > MaxKeys {
		faults = append(faults, fmt.Errorf("1 to %d keys are needed", MaxKeys))
	}
	for i, key := range cfg.Keys {
		if len(key.Reveal()) < MinKey {
			faults = append(faults, fmt.Errorf("key %d is shorter than %d bytes", i+1, MinKey))
		}
	}
	if cfg.Actor == nil {
		faults = append(faults, errors.New("no actor"))
	}
	if cfg.Label == nil {
		cfg.Label = func(category string) string { return category }
	}
	t, err := template.New("page").Parse(pageHTML)
	if err = errors.Join(append(faults, err)...); err != nil {
		return nil, fmt.Errorf("unsubscribe: %w", err)
	}
	css, source := style()
	return &Service{
		keys: slices.Clone(cfg.Keys), base: base, brand: cfg.Brand, label: cfg.Label, actor: cfg.Actor, page: t, css: css,
		policy: "default-src 'none'; style-src " + source + "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	}, nil
}

// baseOf returns what the links begin with.
func baseOf(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("the public URL must be like https://news.example.com")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return "", errors.New("the public URL must be https, since programs post to no other (RFC 8058)")
	}
	return strings.TrimSuffix(u.String(), "/") + Path, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Routes adds the routes: GET, HEAD and POST /v1/unsubscribe/:token. They need no
// credential but the token.
func (s *Service) Routes(e *echo.Echo) {
	e.GET(Path+":token", s.get)
	e.HEAD(Path+":token", s.get)
	e.POST(Path+":token", s.post)
}

// get shows the form and changes nothing.
func (s *Service) get(c echo.Context) error {
	g, ok := open(c.Param("token"), s.keys)
	if !ok {
		return s.bad(c)
	}
	return s.show(c, http.StatusOK, s.ask(g))
}

// post acts, for a program or for the form.
func (s *Service) post(c echo.Context) error {
	g, ok := open(c.Param("token"), s.keys)
	if !ok {
		return s.bad(c)
	}
	form, err := readForm(c)
	if err != nil {
		return err
	}
	if form.Get(oneClickField) == oneClickValue {
		if err := s.act(c, Choice{Category: g.category, OneClick: true}, g); err != nil {
			return err
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		if err := c.String(http.StatusOK, textOneClick); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return nil
	}
	do, scope := form.Get("do"), form.Get("scope")
	if !slices.Contains([]string{doUnsubscribe, doUndo, doAgain}, do) || !slices.Contains([]string{scopeAll, scopeCategory}, scope) {
		return httpx.Bad(oneClickField, "bad_form", "The form says nothing that can be done.").
			WithHint("Programs post List-Unsubscribe=One-Click; people use the page that a GET shows.")
	}
	if g.category == "" {
		scope = scopeAll // there is nothing smaller in this link
	}
	for _, choice := range choices(g, do, scope) {
		if err := s.act(c, choice, g); err != nil {
			return s.failed(c, do, scope, err)
		}
	}
	return s.show(c, http.StatusOK, s.done(g, do, scope))
}

// choices are what a form asks for. To get the mails again means that neither the
// category nor everything is unsubscribed, whatever the form's scope is.
func choices(g grant, do, scope string) []Choice {
	switch {
	case do == doAgain && g.category != "":
		return []Choice{{Category: g.category, Undo: true}, {Undo: true}}
	case scope == scopeAll:
		return []Choice{{Undo: do != doUnsubscribe}}
	}
	return []Choice{{Category: g.category, Undo: do != doUnsubscribe}}
}

// act tells the actor. An error is shown as a problem.
func (s *Service) act(c echo.Context, choice Choice, g grant) error {
	choice.User, choice.Channel, choice.AddressHash = g.user, g.channel, g.hash
	ctx, cancel := context.WithTimeout(c.Request().Context(), actTime)
	defer cancel()
	if err := s.actor.Act(ctx, choice); err != nil {
		return httpx.NewProblem(http.StatusServiceUnavailable, "unsubscribe_unavailable", "The choice could not be saved now.").
			WithHint("Send it again in a minute.").WithRetryAfter(retryAfter).WithCause(err)
	}
	return nil
}

// failed shows the page for a choice that was not saved, if the caller wants pages, and
// returns the problem, which is logged in any case.
func (s *Service) failed(c echo.Context, do, scope string, problem error) error {
	if wantsPage(c.Request()) {
		p := page{Head: textFailedHead, Text: textFailed, Form: true, Do: do, Button: textRetry, Scope: scope}
		return errors.Join(problem, s.show(c, http.StatusServiceUnavailable, p))
	}
	return problem
}

// bad answers a link that is none of ours.
func (s *Service) bad(c echo.Context) error {
	if wantsPage(c.Request()) {
		return s.show(c, http.StatusNotFound, page{Head: textBadHead, Text: textBad})
	}
	return httpx.NewProblem(http.StatusNotFound, "link_unknown", "This is no valid link to unsubscribe.").
		WithHint("Use the whole link, as it is in the mail.").WithParam("token")
}

// wantsPage reports whether the caller names HTML among what it takes, as browsers do.
func wantsPage(r *http.Request) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Accept"), ",")), "text/html")
}

// readForm reads a posted form in either of the two forms that RFC 8058 names. What is
// in the URL does not count.
func readForm(c echo.Context) (url.Values, error) {
	r := c.Request()
	if r.ContentLength > maxForm {
		return nil, httpx.NewProblem(http.StatusRequestEntityTooLarge, httpx.CodeBodyTooLarge, "The form is too large.")
	}
	r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, maxForm)
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(maxForm)
	}
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll() // nothing this small was written to a file
	}
	if err == nil || errors.Is(err, http.ErrNotMultipart) {
		return r.PostForm, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, fmt.Errorf("read a form: %w", err)
	}
	return nil, httpx.Bad("body", "bad_form", "The body is no form.").WithCause(err)
}
