package template

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// DefaultName is the template of notifications that name none.
const DefaultName = "default"

// ErrUnknown says that there is no such template.
var ErrUnknown = errors.New("there is no such template")

// Info is what is known of a template without rendering it.
type Info struct {
	// Name is the folder's, Description the first line of its about.txt.
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Locales are the languages it has messages in, sorted. A template without
	// messages of its own has those of the base.
	Locales []string `json:"locales"`
}

// Set is templates that were loaded and found good. It never changes.
type Set struct{ sheets map[string]*sheet }

// Load reads the templates of all layers, of which a later one replaces files of an
// earlier one. Every template is tried with its sample in every language. The error is
// a *FaultsError with all that is wrong.
func Load(layers ...fs.FS) (*Set, error) {
	var faults FaultsError
	return build(list(layers, &faults), &faults)
}

// build makes a set of files.
func build(files []file, faults *FaultsError) (*Set, error) {
	all := readAll(files, faults)
	base := all[baseName]
	for _, name := range []string{"layout.html", "layout.txt", "title.txt", "body.txt", "mail.html", "mail.txt", "messages.en.toml"} {
		if _, ok := base[name]; !ok {
			faults.add(baseName+"/"+name, errors.New("is missing; all templates need it"))
		}
	}
	if all[DefaultName] == nil {
		faults.add(DefaultName, errors.New("is missing; a notification that names no template needs it"))
	}
	words := parseMessages(baseName, base, faults)
	for _, key := range []string{"months", "date", "clock", "moment"} {
		if !slices.ContainsFunc(words[language.English], func(m *i18n.Message) bool { return m.ID == key }) {
			faults.add(baseName+"/messages.en.toml", fmt.Errorf("has no message %q, which times are written with", key))
		}
	}
	if err := faults.err(); err != nil && base["layout.html"] == nil {
		return nil, err // without a layout each template would be a fault
	}
	s := &Set{sheets: map[string]*sheet{}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name != baseName {
			s.sheets[name] = compile(name, all[name], base, words, faults)
		}
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	for _, sh := range s.sheets {
		sh.try(faults)
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Names lists the templates by name.
func (s *Set) Names() []Info {
	infos := make([]Info, 0, len(s.sheets))
	for _, name := range slices.Sorted(maps.Keys(s.sheets)) {
		i := s.sheets[name].info
		i.Locales = slices.Clone(i.Locales)
		infos = append(infos, i)
	}
	return infos
}

// Has reports whether there is a template; "" is the default one.
func (s *Set) Has(name string) bool {
	_, err := s.sheet(name)
	return err == nil
}

// Sample returns an input to look at a template with: that of its sample.json, or a
// general one. It is the caller's, who may set a locale, a brand and so on.
func (s *Set) Sample(name string) Input {
	sh, err := s.sheet(name)
	if err != nil {
		return plainSample()
	}
	in := sh.sample
	in.Actions, in.Items, in.Data = slices.Clone(in.Actions), slices.Clone(in.Items), slices.Clone(in.Data)
	return in
}

func (s *Set) sheet(name string) (*sheet, error) {
	if name == "" {
		name = DefaultName
	}
	sh := s.sheets[name]
	if sh == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, clip(MaxName, line(name)))
	}
	return sh, nil
}
