package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	i18ntemplate "github.com/nicksnyder/go-i18n/v2/i18n/template"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// countField is the field of a plural message that holds the number.
const countField = "Count"

// phrase is the text of a message: literal pieces and, between them, names of fields.
// It is no text/template, because all that a translator should be able to do is to put
// the fields in another order.
type phrase struct{ pieces, fields []string }

// parsePhrase reads "text {{.Field}} text".
func parsePhrase(src string) (*phrase, error) {
	p := &phrase{}
	for {
		before, rest, ok := strings.Cut(src, "{{")
		p.pieces = append(p.pieces, before)
		if !ok {
			return p, nil
		}
		inside, after, ok := strings.Cut(rest, "}}")
		name, dotted := strings.CutPrefix(strings.TrimSpace(inside), ".")
		if !ok || !dotted || !isWord(name) {
			return nil, fmt.Errorf("{{%s: a message holds text and fields like {{.Name}} only", clip(20, inside))
		}
		p.fields = append(p.fields, name)
		src = after
	}
}

// isWord reports whether s is a plain identifier.
func isWord(s string) bool {
	letter := func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !letter(r) })
}

// Execute fills in the fields from a map[string]string. It makes phrase go-i18n's
// parsed template.
func (p *phrase) Execute(data any) (string, error) {
	values, _ := data.(map[string]string)
	var b strings.Builder
	for i, piece := range p.pieces {
		b.WriteString(piece)
		if i < len(p.fields) {
			v, ok := values[p.fields[i]]
			if !ok {
				return "", fmt.Errorf("the message has a field %q that it is not given", p.fields[i])
			}
			b.WriteString(v)
		}
	}
	return b.String(), nil
}

// phrases has go-i18n parse messages as phrases.
type phrases struct{}

// Cacheable tells go-i18n to parse each message once.
func (phrases) Cacheable() bool { return true }

// Parse reads one plural form of a message.
func (phrases) Parse(src, _, _ string) (i18ntemplate.ParsedTemplate, error) { return parsePhrase(src) }

// voice is one language's messages.
type voice struct {
	tag      language.Tag
	bundle   *i18n.Localizer
	messages map[string]*i18n.Message
	own      bool // some are the template's own, and not the base's
}

// newVoice puts messages together; the later ones win.
func newVoice(tag language.Tag, own bool, lists ...[]*i18n.Message) (*voice, error) {
	v := &voice{tag: tag, own: own, messages: map[string]*i18n.Message{}}
	// The bundle's only language is its default one, so that go-i18n does no matching
	// of its own: by the tables it goes by, Ukrainian would be answered in Russian.
	b := i18n.NewBundle(tag)
	for _, list := range lists {
		if err := b.AddMessages(tag, list...); err != nil {
			return nil, err
		}
		for _, m := range list {
			v.messages[m.ID] = m
		}
	}
	v.bundle = i18n.NewLocalizer(b, tag.String())
	return v, nil
}

// say returns a message, in the plural of count unless that is nil.
func (v *voice) say(key string, count any, values map[string]string) (string, error) {
	s, err := v.bundle.Localize(&i18n.LocalizeConfig{
		MessageID: key, PluralCount: count, TemplateData: values, TemplateParser: phrases{},
	})
	if s == "" && err != nil {
		return "", err
	}
	return s, nil // with an error it is the form "other" in place of a rare one
}

// forms lists the plural forms of a message that are there.
func forms(m *i18n.Message) map[plural.Form]string {
	all := map[plural.Form]string{
		plural.Zero: m.Zero, plural.One: m.One, plural.Two: m.Two, plural.Few: m.Few, plural.Many: m.Many, plural.Other: m.Other,
	}
	maps.DeleteFunc(all, func(_ plural.Form, s string) bool { return s == "" })
	return all
}

// lacking names the plural forms that whole numbers need in the language and that the
// message, being plural, has not.
func lacking(tag language.Tag, m *i18n.Message) []string {
	has := forms(m)
	if _, ok := has[plural.Other]; ok && len(has) == 1 {
		return nil // it is no plural
	}
	names := map[plural.Form]string{
		plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
	}
	var missing []string
	// No language's rules look at more than the last two digits, but for round millions.
	for n := range 200 {
		form := plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)
		if has[form] == "" && !slices.Contains(missing, names[form]) {
			missing = append(missing, names[form])
		}
	}
	if has[plural.Other] == "" && !slices.Contains(missing, "other") {
		missing = append(missing, "other")
	}
	return missing
}

// speech is all that a template can say, by language.
type speech struct {
	voices map[language.Tag]*voice
	// own says that the template has messages of its own; then it speaks only their
	// languages, however many the base knows.
	own bool
}

// locales lists the languages, sorted.
func (s *speech) locales() []string {
	var list []string
	for tag, v := range s.voices {
		if v.own || !s.own {
			list = append(list, tag.String())
		}
	}
	slices.Sort(list)
	return list
}

// chain returns the voices for a locale, the best first and English last. There is
// always one. The first that has messages of the template decides the language, and
// voices of others are left out but for English: no mail is half French because its
// footer could be.
func (s *speech) chain(locale string) []*voice {
	var all []*voice
	for _, tag := range append(parents(locale), language.English) {
		if v := s.voices[tag]; v != nil && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	main := slices.IndexFunc(all, func(v *voice) bool { return v.own || !s.own })
	if main <= 0 {
		return all
	}
	base, _ := all[main].tag.Base()
	return slices.DeleteFunc(all, func(v *voice) bool {
		b, _ := v.tag.Base()
		return b != base && v.tag != language.English
	})
}

// parents returns the tag of a locale and those it inherits from, without the root.
func parents(locale string) []language.Tag {
	if len(locale) > maxLocale {
		return nil
	}
	tag, err := language.Parse(locale)
	if err != nil {
		return nil
	}
	var list []language.Tag
	for ; !tag.IsRoot(); tag = tag.Parent() {
		list = append(list, tag)
	}
	return list
}

// direction is "rtl" for languages that are written from the right.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	if slices.Contains([]string{"Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Mand", "Rohg", "Samr"}, script.String()) {
		return "rtl"
	}
	return "ltr"
}
