package template

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"strconv"
	"strings"
	"text/template"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// maxDigits is how many digits of a number a float keeps, and so how long a text may be
// that is made one to be written as the language has it.
const maxDigits = 15

// ErrSlow says that a rendering took longer than MaxTime. RenderErrors wrap it. It may be
// the machine's fault, so unlike with other errors it is worth trying again.
var ErrSlow = errors.New("the template takes too long")

// errSteps says that a rendering took more than MaxSteps.
var errSteps = errors.New("the template takes too many steps")

// pass is one rendering: whose words, whose clock, and how much is left. It belongs to
// the goroutine that renders.
type pass struct {
	sheet  *sheet
	voices []*voice
	zone   *time.Location
	zoned  bool
	links  links
	steps  int
	until  time.Time
}

// newPass begins a rendering.
func newPass(s *sheet, in Input) *pass {
	p := &pass{sheet: s, voices: s.speech.chain(in.Locale), links: newLinks(in.BaseURL), until: time.Now().Add(MaxTime)}
	p.zone, p.zoned = zone(in.TZ)
	return p
}

// tag is the language of the rendering.
func (p *pass) tag() language.Tag { return p.voices[0].tag }

// tick counts a round of a loop or a call of a template.
func (p *pass) tick() (string, error) {
	p.steps++
	if p.steps > MaxSteps {
		return "", errSteps
	}
	// The clock is asked now and then, as it costs more than a step.
	if p.steps%64 == 0 && time.Now().After(p.until) {
		return "", ErrSlow
	}
	return "", nil
}

// say returns a message by the first voice that has it.
func (p *pass) say(key string, count any, values map[string]string) (string, error) {
	for _, v := range p.voices {
		if _, ok := v.messages[key]; ok {
			return v.say(key, count, values)
		}
	}
	return "", fmt.Errorf("there is no message %q", key)
}

// message is the function t.
func (p *pass) message(key string, args ...any) (string, error) {
	values, err := p.values(args)
	if err != nil {
		return "", err
	}
	return p.say(key, nil, values)
}

// plural is the function tn.
func (p *pass) plural(key string, count any, args ...any) (string, error) {
	n, err := whole(count)
	if err != nil {
		return "", fmt.Errorf("the count of %q %w", key, err)
	}
	values, err := p.values(args)
	if err != nil {
		return "", err
	}
	if values[countField], err = p.number(n); err != nil {
		return "", err
	}
	return p.say(key, n, values)
}

// values makes pairs of a name and a value a map. Numbers are written as the language
// has it.
func (p *pass) values(args []any) (map[string]string, error) {
	if len(args)%2 != 0 {
		return nil, errors.New("a message takes names and values in pairs")
	}
	m := make(map[string]string, len(args)/2+1)
	for i := 0; i < len(args); i += 2 {
		name, ok := args[i].(string)
		if !ok {
			return nil, errors.New("the name of a message's field must be a text")
		}
		switch v := args[i+1].(type) {
		case string:
			m[name] = v
		case int:
			s, err := p.number(v)
			if err != nil {
				return nil, err
			}
			m[name] = s
		case nil, bool, map[string]any, []any:
			return nil, fmt.Errorf("the message's field %s is neither text nor number", name)
		default:
			m[name] = fmt.Sprint(v)
		}
	}
	return m, nil
}

// number writes a number in the person's language, with as many decimals as it has.
func (p *pass) number(v any) (string, error) {
	printer := message.NewPrinter(p.tag())
	switch v := v.(type) {
	case int:
		return printer.Sprint(number.Decimal(v)), nil
	case string:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return "", errors.New("is no number")
		}
		if len(v) > maxDigits {
			return v, nil // as a float it would be another number
		}
		_, decimals, _ := strings.Cut(v, ".")
		if strings.ContainsAny(v, "eExXpP_") {
			decimals = ""
		}
		return printer.Sprint(number.Decimal(f, number.Scale(len(decimals)))), nil
	}
	return "", errors.New("is no number")
}

// comment gives back a comment of the HTML files.
func (p *pass) comment(n int) htmltemplate.HTML { return p.sheet.comments[n] }

// functions are what templates can call. current is asked for the pass at each call.
func functions(current func() *pass) template.FuncMap {
	return template.FuncMap{
		tickName:     func() (string, error) { return current().tick() },
		commentName:  func(n int) htmltemplate.HTML { return current().comment(n) },
		"t":          func(key string, args ...any) (string, error) { return current().message(key, args...) },
		"tn":         func(key string, n any, args ...any) (string, error) { return current().plural(key, n, args...) },
		"date":       func(s string) (string, error) { return current().date(s) },
		"clock":      func(s string) (string, error) { return current().clock(s) },
		"moment":     func(s string) (string, error) { return current().moment(s) },
		"days":       func(items []any) ([]any, error) { return current().days(items) },
		"number":     func(v any) (string, error) { return current().number(v) },
		"link":       func(s string) string { return current().links.resolve(s) },
		"button":     func(label, u string) map[string]any { return map[string]any{"Label": label, "URL": u} },
		"clip":       clip,
		"paragraphs": paragraphs,
		"first":      func(n int, list []any) []any { return list[:min(max(n, 0), len(list))] },
		"after":      func(n int, list []any) []any { return list[min(max(n, 0), len(list)):] },
		// These three are text/template's own, of which a loop can make texts that
		// double in each round.
		"print":   func(args ...any) (string, error) { return bounded(fmt.Sprint(args...)) },
		"println": func(args ...any) (string, error) { return bounded(fmt.Sprintln(args...)) },
		"printf": func(format string, args ...any) (string, error) {
			return bounded(fmt.Sprintf(format, args...))
		},
		"js": func(args ...any) (string, error) { return bounded(template.JSEscaper(args...)) },
	}
}

// bounded returns s unless it is too long for any output.
func bounded(s string) (string, error) {
	if len(s) > MaxHTML {
		return "", errLong
	}
	return s, nil
}
