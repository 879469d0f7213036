package house

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// errPattern is a .gitignore pattern beyond what an ignoreList understands. The
// file is ours, so asking for a plainer pattern costs less than git's grammar.
var errPattern = errors.New("pattern not understood: write a name or a glob, with / in front to mean the root, / behind to mean directories")

// ignoreList is the root's .gitignore.
type ignoreList []ignorePattern

type ignorePattern struct {
	glob    string
	rooted  bool // matches the whole path, else the last part of it
	dirOnly bool
}

// loadIgnore reads the root's .gitignore. The git directory and installed npm
// packages are always ignored.
func loadIgnore(fsys fs.FS) (ignoreList, error) {
	list := ignoreList{{glob: ".git"}, {glob: "node_modules", dirOnly: true}}
	data, err := fs.ReadFile(fsys, ".gitignore")
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return nil, fmt.Errorf("house.Load: %w", err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		glob, dirOnly := strings.CutSuffix(line, "/")
		rooted := strings.Contains(glob, "/")
		glob = strings.TrimPrefix(glob, "/")
		if _, err := path.Match(glob, ""); err != nil || line[0] == '!' || strings.Contains(glob, "**") {
			return nil, fmt.Errorf(".gitignore:%d: %w", n, errPattern)
		}
		list = append(list, ignorePattern{glob: glob, rooted: rooted, dirOnly: dirOnly})
	}
	return list, nil
}

// matches says whether git would ignore the name; parents are asked first.
func (l ignoreList) matches(name string, isDir bool) bool {
	for _, p := range l {
		subject := path.Base(name)
		if p.rooted {
			subject = name
		}
		// The glob was tried when it was read, so Match can't fail.
		if ok, _ := path.Match(p.glob, subject); ok && (isDir || !p.dirOnly) {
			return true
		}
	}
	return false
}
