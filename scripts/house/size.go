package house

import (
	"go/ast"
	"go/token"
)

// The sizes, from reading code that people call beautiful: beyond them a reader
// no longer holds the thing in mind. Tests and generated files are free.
const (
	// maxFileLines is about ten screens: one idea.
	maxFileLines = 400
	// maxFuncLines is one screen and a half.
	maxFuncLines = 60
	// maxPackageLines is what one person reads in an hour.
	maxPackageLines = 2000
)

// checkFiles measures files.
func checkFiles(t *Tree, report reporter) {
	for _, p := range t.Packages {
		for _, f := range p.code() {
			if n := f.lines(); n > maxFileLines {
				report(f.Path, maxFileLines+1, "%d lines, at most %d: find the second idea in it", n, maxFileLines)
			}
		}
	}
}

// checkFunctions measures functions, and function literals that stand outside of
// functions.
func checkFunctions(t *Tree, report reporter) {
	for _, p := range t.Packages {
		for _, f := range p.code() {
			ast.Inspect(f.Go, func(n ast.Node) bool {
				name := "a function literal"
				switch n := n.(type) {
				case *ast.FuncDecl:
					name = n.Name.Name
				case *ast.FuncLit:
				default:
					return true
				}
				if lines := t.line(n.End()-1) - t.line(funcPos(n)) + 1; lines > maxFuncLines {
					report(f.Path, t.line(funcPos(n)), "%s has %d lines, at most %d", name, lines, maxFuncLines)
				}
				return false
			})
		}
	}
}

// funcPos is where the word func stands; the doc comment above doesn't count.
func funcPos(n ast.Node) token.Pos {
	if decl, ok := n.(*ast.FuncDecl); ok {
		return decl.Type.Func
	}
	return n.Pos()
}

// checkPackages measures packages.
func checkPackages(t *Tree, report reporter) {
	for _, p := range t.Packages {
		n := 0
		for _, f := range p.code() {
			n += f.lines()
		}
		if n > maxPackageLines {
			report(p.Dir, 1, "%d lines, at most %d, tests apart: split it along its ideas", n, maxPackageLines)
		}
	}
}
