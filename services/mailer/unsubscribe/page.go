package unsubscribe

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page and its style
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// page is what the template shows.
type page struct {
	Title, Brand string
	Style        template.CSS

	Head, Text, Note string
	// Form says that there is a form; Do is what its button asks for, Scope of what, if
	// there is no choice between Only and All.
	Form             bool
	Do, Button       string
	Scope            string
	Quiet            bool
	Only, All, Again string
	AllNote          string
}

// style returns the style sheet and its hash, as a policy names it.
func style() (css template.CSS, source string) {
	sum := sha256.Sum256([]byte(pageCSS))
	return template.CSS(pageCSS), "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// show answers with a page.
func (s *Service) show(c echo.Context, status int, p page) error {
	p.Title, p.Brand, p.Style = textTitle, s.brand, s.css
	var b bytes.Buffer
	if err := s.page.Execute(&b, p); err != nil {
		return fmt.Errorf("unsubscribe page: %w", err)
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", s.policy)
	h.Set("X-Frame-Options", "DENY") // for browsers that don't know frame-ancestors
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	if err := c.HTMLBlob(status, b.Bytes()); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// ask is the page of a link.
func (s *Service) ask(g grant) page {
	p := page{Head: textAskHead, Text: textAsk, Form: true, Do: doUnsubscribe, Button: textButton, Again: textAgain, AllNote: textAllNote, Note: textConfirmNote}
	if g.category == "" {
		p.Text, p.Scope = fmt.Sprintf(textAskAll, s.name()), scopeAll
		return p
	}
	p.Only, p.All = fmt.Sprintf(textOnly, s.label(g.category)), fmt.Sprintf(textAll, s.name())
	return p
}

// done is the page after the form was sent.
func (s *Service) done(g grant, do, scope string) page {
	switch {
	case do == doUndo:
		return page{Head: textUndoneHead, Text: textUndone, Form: true, Do: doUnsubscribe, Button: textButton, Scope: scope, Quiet: true}
	case do == doAgain:
		return page{Head: textAgainHead, Text: textAgainDone, Form: true, Do: doUnsubscribe, Button: textButton, Scope: scope, Quiet: true}
	case scope == scopeAll:
		return page{
			Head: textDoneHead, Text: fmt.Sprintf(textDoneAll, s.name()), AllNote: textAllNote,
			Form: true, Do: doUndo, Button: textUndo, Scope: scope, Quiet: true,
		}
	}
	return page{Head: textDoneHead, Text: fmt.Sprintf(textDoneOnly, s.label(g.category)), Form: true, Do: doUndo, Button: textUndo, Scope: scope, Quiet: true}
}

// name is how the page calls the sender.
func (s *Service) name() string {
	if s.brand == "" {
		return textSomebody
	}
	return s.brand
}
