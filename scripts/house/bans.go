package house

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// checkInit looks for func init, tests included: wiring is written down in one
// straight function, never done by an import.
func checkInit(t *Tree, report reporter) {
	for _, f := range t.Files {
		if f.Go == nil {
			continue
		}
		for _, decl := range f.Go.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
				report(f.Path, t.line(d.Pos()), "func init runs unasked: call it from the wiring")
			}
		}
	}
}

// vagueNames are names under which anything could be filed.
func vagueNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "types"}
}

// checkNames looks at the names of source files, their directories and packages.
func checkNames(t *Tree, report reporter) {
	vague := func(name string) bool { return slices.Contains(vagueNames(), strings.ToLower(name)) }
	const advice = "%s %q could hold anything: name it after the idea it holds"
	dirs := map[string]bool{}
	for _, f := range t.Files {
		if ext := path.Ext(f.Path); !slices.Contains([]string{".go", ".ts", ".tsx", ".js", ".css"}, ext) {
			continue
		}
		base, _, _ := strings.Cut(path.Base(f.Path), ".")
		if vague(strings.TrimSuffix(base, "_test")) {
			report(f.Path, 1, advice, "file", base)
		}
		if dir := path.Dir(f.Path); !dirs[dir] {
			dirs[dir] = true
			if vague(path.Base(dir)) {
				report(dir, 1, advice, "directory", path.Base(dir))
			}
		}
		if f.Go != nil && vague(strings.TrimSuffix(f.Go.Name.Name, "_test")) {
			report(f.Path, t.line(f.Go.Name.Pos()), advice, "package", f.Go.Name.Name)
		}
	}
}

// checkSleep looks for time.Sleep in tests and test kits. In a synctest bubble,
// that is lexically inside of a call of synctest.Test, sleeping is how virtual
// time is told to pass and is allowed.
func checkSleep(t *Tree, report reporter) {
	for _, f := range t.testCode() {
		clock := importName(f.Go, "time")
		bubble := importName(f.Go, "testing/synctest")
		ast.Inspect(f.Go, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isSelector(call.Fun, bubble, "Test") {
				return false
			}
			if e, ok := n.(ast.Expr); ok && isSelector(e, clock, "Sleep") {
				report(f.Path, t.line(n.Pos()), "time.Sleep in a test: use testing/synctest, or wait for a condition")
			}
			return true
		})
	}
}

// checkSkip looks for tests that may report success without having run.
func checkSkip(t *Tree, report reporter) {
	for _, f := range t.testCode() {
		names := testingNames(f.Go)
		ast.Inspect(f.Go, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				return true
			}
			if id, ok := sel.X.(*ast.Ident); ok && slices.Contains(names, id.Name) {
				report(f.Path, t.line(sel.Pos()), "%s.%s: a test runs or fails; a fuzz target returns", id.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// testCode are the parsed tests and the files of test kits.
func (t *Tree) testCode() []*File {
	return slices.DeleteFunc(slices.Clone(t.Files), func(f *File) bool {
		return f.Go == nil || !f.IsTest() && !isKit(path.Dir(f.Path))
	})
}

// testingNames are the names that the file gives to values of package testing:
// parameters, fields and variables of type *testing.T and the like.
func testingNames(file *ast.File) []string {
	pkg := importName(file, "testing")
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok {
			return true
		}
		typ := field.Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		for _, kind := range []string{"T", "B", "F", "TB"} {
			if isSelector(typ, pkg, kind) {
				for _, name := range field.Names {
					names = append(names, name.Name)
				}
			}
		}
		return true
	})
	return names
}

// importName is the name under which a file knows an import, "" if it has it not.
func importName(file *ast.File, imp string) string {
	for _, spec := range file.Imports {
		switch {
		case importPath(spec) != imp:
		case spec.Name != nil:
			return spec.Name.Name
		default:
			return path.Base(imp)
		}
	}
	return ""
}

// isSelector says whether e is pkg.name; a package that isn't imported has the
// name "" and matches nothing.
func isSelector(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name || pkg == "" {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg
}
