package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// sheet is one template: what is parsed once and never changes.
type sheet struct {
	info     Info
	sample   Input
	sampled  bool // the sample is the template's own
	speech   *speech
	comments []htmltemplate.HTML
	// text and html are never executed themselves: their functions know no pass, and
	// html/template can't be copied once it was.
	text *template.Template
	html *htmltemplate.Template
	// presses keeps copies, because escaping one costs many times what rendering does.
	presses sync.Pool
}

// press is a copy of the sheet's templates that renders one pass at a time.
type press struct {
	pass *pass
	text *template.Template
	html *htmltemplate.Template
}

// press takes a copy that nobody uses.
func (s *sheet) press() (*press, error) {
	if p, ok := s.presses.Get().(*press); ok {
		return p, nil
	}
	text, err := s.text.Clone()
	if err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	html, err := s.html.Clone()
	if err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	p := &press{text: text, html: html}
	f := functions(func() *pass { return p.pass })
	p.text.Funcs(f)
	p.html.Funcs(f)
	return p, nil
}

// compile parses a template's files; what it hasn't comes from the base.
func compile(name string, own, base sources, words map[language.Tag][]*i18n.Message, faults *FaultsError) *sheet {
	s := &sheet{info: Info{Name: name}, sample: plainSample()}
	about, _, _ := strings.Cut(string(own["about.txt"]), "\n")
	s.info.Description = clip(MaxTitle, line(about))
	if b, ok := own["sample.json"]; ok {
		if err := readSample(b, &s.sample); err != nil {
			faults.add(name+"/sample.json", err)
		}
		s.sampled = true
	}
	s.speech = newSpeech(name, words, parseMessages(name, own, faults), faults)
	s.info.Locales = s.speech.locales()

	// None of these is ever called: a press has its own.
	f := functions(func() *pass { return nil })
	s.text = template.New(name).Funcs(f).Option("missingkey=error")
	s.html = htmltemplate.New(name).Funcs(f).Option("missingkey=error")
	for _, file := range []string{"layout.txt", "title.txt", "body.txt", "mail.txt"} {
		src, at := inherit(name, file, own, base)
		if _, err := s.text.New(file).Parse(src); err != nil {
			faults.add(at, err)
		}
	}
	for _, file := range []string{"layout.html", "mail.html"} { // so that mail.html can redefine the layout's blocks
		src, at := inherit(name, file, own, base)
		src, comments, err := keepComments(src, s.comments)
		if err == nil {
			s.comments = comments
			_, err = s.html.New(file).Parse(src)
		}
		if err != nil {
			faults.add(at, err)
		}
	}
	s.arm(faults)
	return s
}

// inherit returns a file of the template or, if it has none, of the base, and where it
// is.
func inherit(name, file string, own, base sources) (src, at string) {
	if b, ok := own[file]; ok {
		return string(b), name + "/" + file
	}
	return string(base[file]), baseName + "/" + file
}

// arm guards the parsed templates against endless loops, and looks at the messages they
// name.
func (s *sheet) arm(faults *FaultsError) {
	var trees []*parse.Tree
	for _, t := range s.text.Templates() {
		trees = append(trees, t.Tree)
	}
	for _, t := range s.html.Templates() {
		trees = append(trees, t.Tree)
	}
	for _, tree := range trees {
		if tree == nil || tree.Root == nil {
			continue
		}
		at := s.info.Name + "/" + tree.ParseName
		visit(tree.Root, func(n parse.Node) {
			if err := s.speech.checkCall(n); err != nil {
				faults.add(at, err)
			}
		})
		if err := arm(tree); err != nil {
			faults.add(at, err)
		}
	}
}

// try renders the template in each of its languages. Without a sample of its own it
// can't know what its data would be, so that a missing key is no fault then.
func (s *sheet) try(faults *FaultsError) {
	for _, locale := range s.info.Locales {
		in := s.sample
		in.Locale = locale
		_, err := s.mail(in)
		var missing *MissingError
		if err == nil || errors.As(err, &missing) && !s.sampled {
			continue
		}
		faults.add(s.info.Name, fmt.Errorf("in %s: %w", locale, err))
	}
}

// readSample reads sample.json, strictly.
func readSample(b []byte, in *Input) error {
	*in = Input{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// plainSample is the input of templates that have no sample.
func plainSample() Input {
	return Input{
		User: "ann", Name: "Ann", Title: "A title", Body: "A body of two paragraphs.\n\nThis is the second one.",
		Category: "general", Severity: "normal", Brand: "Tidings", BaseURL: "https://example.com",
		Actions: []Action{{Label: "Open", URL: "/"}}, At: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC),
		UnsubscribeURL: "/unsubscribe", PreferencesURL: "/preferences",
	}
}

// parseMessages reads a folder's messages by language.
func parseMessages(folder string, own sources, faults *FaultsError) map[language.Tag][]*i18n.Message {
	all := map[language.Tag][]*i18n.Message{}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		locale, ok := localeOf(name)
		if !ok {
			continue
		}
		at := folder + "/" + name
		tag, err := tagOf(locale)
		if err != nil {
			faults.add(at, err)
			continue
		}
		list, err := i18n.ParseMessageBytes(own[name], toml.Unmarshal)
		if err != nil {
			faults.add(at, err)
			continue
		}
		for _, m := range list {
			if err := checkMessage(tag, m); err != nil {
				faults.add(at, fmt.Errorf("the message %q %w", m.ID, err))
			}
		}
		all[tag] = list
	}
	return all
}

// checkMessage returns what is wrong with a message by itself.
func checkMessage(tag language.Tag, m *i18n.Message) error {
	if list := lacking(tag, m); len(list) > 0 {
		return fmt.Errorf("lacks what %s says for %s", tag, strings.Join(list, ", "))
	}
	if m.LeftDelim != "" || m.RightDelim != "" {
		return errors.New("has delimiters of its own, which are not for here")
	}
	for _, src := range forms(m) {
		if _, err := parsePhrase(src); err != nil {
			return err
		}
	}
	return nil
}

// newSpeech lays a template's messages over the base's.
func newSpeech(name string, base, own map[language.Tag][]*i18n.Message, faults *FaultsError) *speech {
	s := &speech{voices: map[language.Tag]*voice{}, own: len(own) > 0}
	for _, lists := range []map[language.Tag][]*i18n.Message{base, own} {
		for tag := range lists {
			v, err := newVoice(tag, own[tag] != nil, base[tag], own[tag])
			if err != nil {
				faults.add(fmt.Sprintf("%s/messages.%s.toml", name, tag), err)
				continue
			}
			s.voices[tag] = v
		}
	}
	if _, ok := own[language.English]; s.own && !ok {
		faults.add(name+"/messages.en.toml", errors.New("is missing; English is what every other language falls back on"))
	}
	return s
}

// checkCall looks at a call of t or tn that names its message: English must have it,
// and no language may put in a field that the call doesn't give.
func (s *speech) checkCall(n parse.Node) error {
	c, ok := n.(*parse.CommandNode)
	if !ok || len(c.Args) < 2 {
		return nil
	}
	f, ok := c.Args[0].(*parse.IdentifierNode)
	key, named := c.Args[1].(*parse.StringNode)
	if !ok || !named || f.Ident != "t" && f.Ident != "tn" {
		return nil
	}
	var given []string
	at := 2
	if f.Ident == "tn" {
		given, at = append(given, countField), 3
	}
	for i := at; i < len(c.Args); i += 2 {
		if name, ok := c.Args[i].(*parse.StringNode); ok {
			given = append(given, name.Text)
		}
	}
	if v := s.voices[language.English]; v == nil || v.messages[key.Text] == nil {
		return fmt.Errorf("there is no message %q in English", key.Text)
	}
	for tag, v := range s.voices {
		if name := ungiven(v.messages[key.Text], given); name != "" {
			return fmt.Errorf("the message %q in %s has a field %q that it is not given", key.Text, tag, name)
		}
	}
	return nil
}

// ungiven returns a field that a message has and is not given, or "". A form that can't
// be read has none: it is a fault of the message, and noted as such.
func ungiven(m *i18n.Message, given []string) string {
	if m == nil {
		return ""
	}
	for _, src := range forms(m) {
		p, err := parsePhrase(src)
		if err != nil {
			continue
		}
		for _, name := range p.fields {
			if !slices.Contains(given, name) {
				return name
			}
		}
	}
	return ""
}
