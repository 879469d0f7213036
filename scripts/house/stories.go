package house

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
)

// minSentences is the shortest story: what the package is, and one thing more.
const minSentences = 2

// concurrencyHeading opens the section that says what is ordered and what is not.
const concurrencyHeading = "# Concurrency"

// checkStories reads package comments.
func checkStories(t *Tree, report reporter) {
	sentence := regexp.MustCompile(`[.!?]["')\]”’]*(\s|$)`)
	for _, p := range t.Packages {
		at := p.storyteller()
		if at == nil {
			continue // generated, all of it
		}
		if n := len(sentence.FindAllString(p.comment(), -1)); n < minSentences {
			report(at.Path, t.line(at.Go.Package), "the package comment has %d sentences, at least %d: tell its story in doc.go", n, minSentences)
		}
	}
}

// checkConcurrency looks for goroutines that no package comment speaks of.
func checkConcurrency(t *Tree, report reporter) {
	for _, p := range t.Packages {
		if hasLine(p.comment(), concurrencyHeading) {
			continue
		}
		for _, f := range p.code() {
			if n := startsGoroutine(f.Go); n != nil {
				report(f.Path, t.line(n.Pos()), "starts a goroutine, so the package comment needs %q: who owns it, what is ordered", concurrencyHeading)
				break // one place is enough to find the package by
			}
		}
	}
}

// startsGoroutine finds a go statement, a use of errgroup, or a call of a method
// called Go with one argument, as sync.WaitGroup has it.
func startsGoroutine(file *ast.File) ast.Node {
	for _, spec := range file.Imports {
		if importPath(spec) == "golang.org/x/sync/errgroup" {
			return spec
		}
	}
	return find(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			return true
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			return ok && sel.Sel.Name == "Go" && len(n.Args) == 1
		}
		return false
	})
}

// find returns the first node that ok accepts.
func find(root ast.Node, ok func(ast.Node) bool) ast.Node {
	var found ast.Node
	ast.Inspect(root, func(n ast.Node) bool {
		if found == nil && n != nil && ok(n) {
			found = n
		}
		return found == nil
	})
	return found
}

// comment is the package comment, gathered from all files that have one. Tests
// speak only for packages that are nothing but tests.
func (p *Package) comment() string {
	files := p.code()
	if len(files) == 0 {
		files = p.Files
	}
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.Go.Doc.Text())
	}
	return b.String()
}

// storyteller is the file where the package comment is, or should be; nil if the
// whole package is generated.
func (p *Package) storyteller() *File {
	files := p.code()
	for _, f := range p.Files {
		if len(files) == 0 && !f.generated() {
			files = []*File{f}
		}
	}
	for _, f := range files {
		if f.Go.Doc != nil || path.Base(f.Path) == "doc.go" {
			return f
		}
	}
	if len(files) == 0 {
		return nil
	}
	return files[0]
}

// hasLine says whether text has the line.
func hasLine(text, line string) bool {
	for l := range strings.Lines(text) {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}
