package house

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Tree is a source tree, read and parsed.
type Tree struct {
	// Files are all tracked files, in the order of their paths.
	Files []*File
	// Packages are the directories that hold Go files, in the order of their paths.
	Packages []*Package
	// Module is the module path of the root's go.mod, "" without one.
	Module string

	fset   *token.FileSet
	nested []string // directories other than the root that have a go.mod
}

// File is one tracked file.
type File struct {
	// Path is slash-separated and relative to the root of the tree.
	Path string
	// Data is the file's content.
	Data []byte
	// Go is the syntax tree of a Go file outside testdata, nil for anything else.
	Go *ast.File
	// Err says why a Go file could not be parsed.
	Err error
}

// Package is one directory of Go files; an external test package counts as part
// of the package it tests.
type Package struct {
	// Dir is the directory, relative to the root; "." is the root itself.
	Dir string
	// Files are the directory's Go files, tests among them.
	Files []*File
}

// Load reads and parses the tree. It fails when the tree can't be read or its
// .gitignore holds a pattern that it does not understand; a Go file that can't be
// parsed is no error here but a finding of the rule "syntax".
func Load(fsys fs.FS) (*Tree, error) {
	ignore, err := loadIgnore(fsys)
	if err != nil {
		return nil, err
	}
	t := &Tree{fset: token.NewFileSet()}
	walk := func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case d.IsDir() && ignore.matches(name, true):
			return fs.SkipDir
		case !d.Type().IsRegular() || ignore.matches(name, false):
			return nil
		}
		return t.add(fsys, name)
	}
	if err := fs.WalkDir(fsys, ".", walk); err != nil {
		return nil, fmt.Errorf("house.Load: %w", err)
	}
	t.group()
	return t, nil
}

// add reads one file and parses it if it is Go.
func (t *Tree) add(fsys fs.FS, name string) error {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	f := &File{Path: name, Data: data}
	t.Files = append(t.Files, f)
	switch {
	case name == "go.mod":
		t.Module = modulePath(data)
	case path.Base(name) == "go.mod":
		t.nested = append(t.nested, path.Dir(name))
	case path.Ext(name) == ".go" && !inTestdata(name):
		f.Go, f.Err = parser.ParseFile(t.fset, name, data, parser.ParseComments|parser.SkipObjectResolution)
		if f.Err != nil {
			f.Go = nil // half a syntax tree would only raise findings that are not true
		}
	}
	return nil
}

// group makes the packages out of the files.
func (t *Tree) group() {
	byDir := map[string]*Package{}
	for _, f := range t.Files {
		if f.Go == nil {
			continue
		}
		dir := path.Dir(f.Path)
		p := byDir[dir]
		if p == nil {
			p = &Package{Dir: dir}
			byDir[dir] = p
			t.Packages = append(t.Packages, p)
		}
		p.Files = append(p.Files, f)
	}
	slices.SortFunc(t.Packages, func(a, b *Package) int { return cmp.Compare(a.Dir, b.Dir) })
}

// IsTest says whether the file is a Go test file.
func (f *File) IsTest() bool { return strings.HasSuffix(f.Path, "_test.go") }

// generated says whether the file is Go that a program wrote.
func (f *File) generated() bool { return f.Go != nil && ast.IsGenerated(f.Go) }

// lines is the number of lines of the file.
func (f *File) lines() int {
	n := bytes.Count(f.Data, []byte("\n"))
	if len(f.Data) > 0 && f.Data[len(f.Data)-1] != '\n' {
		n++
	}
	return n
}

// code are the Go files that the rules on product code judge: neither tests nor
// generated.
func (p *Package) code() []*File {
	return slices.DeleteFunc(slices.Clone(p.Files), func(f *File) bool { return f.IsTest() || f.generated() })
}

// product says whether the file belongs to the root module. Nested modules hold
// tools, whose dependencies never reach the binary.
func (t *Tree) product(f *File) bool {
	return !slices.ContainsFunc(t.nested, func(dir string) bool { return within(f.Path, dir) })
}

// line is the line of a position.
func (t *Tree) line(pos token.Pos) int { return t.fset.Position(pos).Line }

// modulePath reads the module line of a go.mod.
func modulePath(gomod []byte) string {
	for line := range strings.Lines(string(gomod)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return strings.Trim(strings.TrimSpace(rest), `"`)
		}
	}
	return ""
}

// inTestdata says whether the go command would pass the file over.
func inTestdata(name string) bool {
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		if part == "testdata" || part != "." && strings.HasPrefix(part, ".") || strings.HasPrefix(part, "_") {
			return true
		}
	}
	return false
}

// within says whether name is dir or lies below it.
func within(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
