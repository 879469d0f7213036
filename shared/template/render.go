package template

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/template"
)

// MissingError says that a template asks for a key that its data hasn't.
type MissingError struct {
	// Template is the template's name, Key the key that isn't there.
	Template, Key string
}

// Error names both.
func (e *MissingError) Error() string {
	return fmt.Sprintf("template %q needs %q, which is missing", e.Template, e.Key)
}

// RenderError says that a template can't be rendered with some input.
type RenderError struct {
	// Template is the template's name.
	Template string
	// Err is why, and where in the file.
	Err error
}

// Error names the template and the reason.
func (e *RenderError) Error() string { return fmt.Sprintf("template %q: %s", e.Template, e.Err) }

// Unwrap returns the reason.
func (e *RenderError) Unwrap() error { return e.Err }

// Mail is a rendered mail.
type Mail struct {
	// Subject is one line of at most MaxTitle runes.
	Subject string `json:"subject"`
	// HTML is a whole document of at most MaxHTML bytes, Text says the same in at most
	// MaxText bytes.
	HTML string `json:"html"`
	Text string `json:"text"`
}

// Text renders the title, one line, and the body, plain text, for an inbox, a push or an
// SMS. "" is the default template. Errors wrap ErrUnknown, or are *MissingError or
// *RenderError.
func (s *Set) Text(name string, in Input) (title, body string, err error) {
	sh, err := s.sheet(name)
	if err != nil {
		return "", "", err
	}
	err = sh.render(in, func(p *press, dot map[string]any) error {
		title, body, err = p.words(dot)
		return err
	})
	return title, body, err
}

// Mail renders a mail. Errors are those of Text.
func (s *Set) Mail(name string, in Input) (Mail, error) {
	sh, err := s.sheet(name)
	if err != nil {
		return Mail{}, err
	}
	return sh.mail(in)
}

// Check reports whether a template can be rendered with some input, as a mail too, so
// that who accepts a notification can refuse it at once. Errors are those of Text.
func (s *Set) Check(name string, in Input) error {
	_, err := s.Mail(name, in)
	return err
}

func (s *sheet) mail(in Input) (m Mail, err error) {
	err = s.render(in, func(p *press, dot map[string]any) error {
		m, err = p.mail(dot)
		return err
	})
	return m, err
}

// render lends a press to f, and says in its error whose it was.
func (s *sheet) render(in Input, f func(*press, map[string]any) error) error {
	p, err := s.press()
	if err != nil {
		return &RenderError{s.info.Name, err}
	}
	defer s.presses.Put(p)
	p.pass = newPass(s, in)
	defer func() { p.pass = nil }()
	dot, err := in.dot(p.pass.links)
	if err != nil {
		return &RenderError{s.info.Name, err}
	}
	dot["Lang"], dot["Dir"] = p.pass.tag().String(), direction(p.pass.tag())
	err = f(p, dot)
	if err == nil {
		return nil
	}
	if key, ok := missingKey(err); ok {
		return &MissingError{s.info.Name, key}
	}
	return &RenderError{s.info.Name, err}
}

// words renders title and body.
func (p *press) words(dot map[string]any) (title, body string, err error) {
	if title, err = run(p.text, "title.txt", dot, MaxText); err != nil {
		return "", "", err
	}
	if body, err = run(p.text, "body.txt", dot, MaxText); err != nil {
		return "", "", err
	}
	return clip(MaxTitle, line(title)), text(body), nil
}

// mail renders everything: the mail's parts see title and body as .Subject and .Text.
func (p *press) mail(dot map[string]any) (Mail, error) {
	title, body, err := p.words(dot)
	if err != nil {
		return Mail{}, err
	}
	dot["Subject"], dot["Text"] = title, body
	plain, err := run(p.text, "layout.txt", dot, MaxText)
	if err != nil {
		return Mail{}, err
	}
	html, err := run(p.html, "layout.html", dot, MaxHTML)
	if err != nil {
		return Mail{}, err
	}
	return Mail{Subject: title, HTML: html, Text: text(plain) + "\n"}, nil
}

// executor is text/template's or html/template's.
type executor interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}

// run renders one file into at most so many bytes.
func run(t executor, name string, dot map[string]any, most int) (string, error) {
	c := capped{most: most}
	if err := t.ExecuteTemplate(&c, name, dot); err != nil {
		return "", err
	}
	return c.b.String(), nil
}

// missingKey returns the key that a template didn't find, because it isn't there or what
// should hold it is null. text/template has no errors of its own for these, only words.
func missingKey(err error) (string, bool) {
	var exec template.ExecError
	if !errors.As(err, &exec) {
		return "", false
	}
	if _, key, ok := strings.Cut(exec.Err.Error(), "nil pointer evaluating interface {}."); ok {
		return key, isWord(key)
	}
	_, rest, ok := strings.Cut(exec.Err.Error(), "no entry for key ")
	if !ok {
		return "", false
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", false
	}
	key, err := strconv.Unquote(quoted)
	return key, err == nil
}
