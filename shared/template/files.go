package template

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// Bounds of what is loaded.
const (
	// MaxFile bounds a file in bytes: a mail's content that is larger would be cut off
	// by those who show it.
	MaxFile = 64 << 10
	// MaxFiles bounds the files of a layer: more are not templates but a wrong folder.
	MaxFiles = 5000
	// MaxName bounds the name of a template in bytes.
	MaxName = 64
)

// baseName is the folder that the others inherit from.
const baseName = "base"

// Fault is one thing that is wrong with the files.
type Fault struct {
	// Path is the file, such as "welcome/mail.html", or the folder.
	Path string
	// Reason is a clause that says what is wrong.
	Reason string
}

// FaultsError holds all faults that Load found.
type FaultsError struct{ Faults []Fault }

// Error lists the faults, one a line.
func (e *FaultsError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Path + ": " + f.Reason
	}
	return "templates: " + strings.Join(lines, "\ntemplates: ")
}

// add notes a fault once; what is wrong with the base is wrong with all.
func (e *FaultsError) add(file string, err error) {
	f := Fault{file, err.Error()}
	if !slices.Contains(e.Faults, f) {
		e.Faults = append(e.Faults, f)
	}
}

// err is e, or nil if there is no fault.
func (e *FaultsError) err() error {
	if len(e.Faults) == 0 {
		return nil
	}
	slices.SortStableFunc(e.Faults, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
	return e
}

// file is one that was found, and not read yet.
type file struct {
	layer        fs.FS
	folder, name string
	size         int64
	changed      time.Time
	position     int // of the layer
}

func (f file) path() string { return path.Join(f.folder, f.name) }

// list finds the files of the layers, in the layers' order. Names that begin with a
// dot, end in '~' or are a page about the templates are passed over, everything else
// that isn't known is a fault: it is a file that somebody believes to be used.
func list(layers []fs.FS, faults *FaultsError) []file {
	var files []file
	for i, layer := range layers {
		entries, err := fs.ReadDir(layer, ".")
		if err != nil {
			faults.add(fmt.Sprintf("layer %d", i+1), err)
			continue
		}
		n := len(files)
		for _, e := range entries {
			// Stat goes where a symbolic link leads, as mounted settings are full of.
			info, err := fs.Stat(layer, e.Name())
			switch {
			case ignored(e.Name()):
			case err != nil:
				faults.add(e.Name(), err)
			case !info.IsDir():
				faults.add(e.Name(), errors.New("is not in a folder"))
			case !isName(e.Name()):
				faults.add(e.Name(), fmt.Errorf("name a template with a-z, 0-9, '-' and '_', at most %d of them", MaxName))
			default:
				files = append(files, folder(layer, e.Name(), i, faults)...)
			}
			if len(files)-n > MaxFiles {
				faults.add(fmt.Sprintf("layer %d", i+1), fmt.Errorf("has over %d files", MaxFiles))
				return nil
			}
		}
	}
	return files
}

// folder finds the files of one template in one layer.
func folder(layer fs.FS, name string, position int, faults *FaultsError) []file {
	entries, err := fs.ReadDir(layer, name)
	if err != nil {
		faults.add(name, err)
		return nil
	}
	var files []file
	for _, e := range entries {
		f := file{layer: layer, folder: name, name: e.Name(), position: position}
		info, err := fs.Stat(layer, f.path())
		switch {
		case ignored(e.Name()):
			continue
		case err != nil:
			faults.add(f.path(), err)
			continue
		case info.IsDir() || !known(name, e.Name()):
			faults.add(f.path(), errors.New("is none of a template's files"))
			continue
		}
		f.size, f.changed = info.Size(), info.ModTime()
		files = append(files, f)
	}
	return files
}

func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".md")
}

// known reports whether a folder may have such a file.
func known(folder, name string) bool {
	if _, ok := localeOf(name); ok || slices.Contains([]string{"title.txt", "body.txt", "mail.html", "mail.txt"}, name) {
		return true
	}
	if folder == baseName {
		return name == "layout.html" || name == "layout.txt"
	}
	return name == "about.txt" || name == "sample.json"
}

// localeOf returns the locale in the name of a file of messages.
func localeOf(name string) (string, bool) {
	s, ok := strings.CutPrefix(name, "messages.")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, ".toml")
}

// tagOf reads the locale of a file's name. There must be one way to write it, or two
// files could be about the same language.
func tagOf(locale string) (language.Tag, error) {
	tag, err := language.Parse(locale)
	switch {
	case err != nil || tag.IsRoot() || len(locale) > maxLocale:
		return tag, errors.New("the name holds no language")
	case tag.String() != locale:
		return tag, fmt.Errorf("the language of the name is written %s", tag)
	}
	return tag, nil
}

// isName reports whether s may name a template.
func isName(s string) bool {
	plain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' }
	return s != "" && len(s) <= MaxName && s[0] != '-' && s[0] != '_' && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) })
}

// read returns what is in a file, which may have grown since it was found.
func (f file) read() ([]byte, error) {
	r, err := f.layer.Open(f.path())
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxFile {
		return nil, fmt.Errorf("is over %d bytes", MaxFile)
	}
	return b, nil
}

// sources are the files of a template by their names.
type sources map[string][]byte

// readAll reads the files by template. A later layer's file replaces an earlier one's.
func readAll(files []file, faults *FaultsError) map[string]sources {
	last := map[string]file{}
	for _, f := range files {
		last[f.path()] = f
	}
	all := map[string]sources{}
	for _, f := range last {
		b, err := f.read()
		if err != nil {
			faults.add(f.path(), err)
			continue
		}
		if all[f.folder] == nil {
			all[f.folder] = sources{}
		}
		all[f.folder][f.name] = b
	}
	return all
}
