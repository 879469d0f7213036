package house

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// floorTable is the house from the ground up: a package imports from rows above
// its own only, never from its own row. Rooms are named without "shared/". The
// services stand on all of it.
func floorTable() [][]string {
	return [][]string{
		{"subject", "client"}, // the names, and the browser's bundle
		{"event"},
		{"telemetry", "lifecycle"},
		{"auth", "config", "template"}, // settings hold telemetry's secrets
		{"natsx", "httpx"},
		{"stream", "worker", "mesh", "revoke", "ledger", "suppress", "notice"},
		{"testkit"},
	}
}

// standardRows is how many rows of the floorTable import the standard library only.
const standardRows = 2

// wall keeps a vendor's package in its home.
type wall struct {
	vendor string   // import path, without the major version
	homes  []string // directories that may import it
	tests  bool     // tests and test kits may import it too
	why    string
}

// walls lists the vendors that may be replaced one day, or whose power is too
// great to be had everywhere.
func walls() []wall {
	return []wall{
		{
			vendor: "github.com/nats-io/nats-server", homes: []string{"shared/natsx"},
			why: "an embedded server is started through natsx, in tests too",
		},
		{
			vendor: "github.com/golang-jwt/jwt", homes: []string{"shared/auth"},
			why: "what a token means is decided in one place",
		},
		{
			vendor: "github.com/MicahParks/keyfunc", homes: []string{"shared/auth"},
			why: "keys are chosen in one place",
		},
		{
			vendor: "github.com/MicahParks/jwkset", homes: []string{"shared/auth"},
			why: "keys are chosen in one place",
		},
		{
			vendor: "github.com/wneessen/go-mail", homes: []string{"services/mailer"},
			why: "one sender sends mail",
		},
		{
			vendor: "github.com/labstack/echo", homes: []string{"shared/httpx", "services"},
			why: "what is not a route knows no router",
		},
		{
			vendor: "github.com/nats-io/nats.go", tests: true,
			homes: []string{
				"shared/natsx", "shared/stream", "shared/worker", "shared/mesh", "shared/revoke", "shared/ledger", "shared/suppress",
				"shared/testkit", "services/edge", "services/notifier", "services/tidings",
			},
			why: "the others speak to stream and worker",
		},
	}
}

// checkFloors looks at every import of one room by another.
func checkFloors(t *Tree, report reporter) {
	for _, f := range t.Files {
		if f.Go == nil || !t.product(f) {
			continue
		}
		from := room(path.Dir(f.Path))
		if name, ok := strings.CutPrefix(from, "shared/"); ok && floor(name) < 0 {
			report(f.Path, t.line(f.Go.Package), "%s is on no floor: add it to the floorTable of scripts/house", from)
			continue
		}
		for _, spec := range f.Go.Imports {
			dir, ok := t.inModule(importPath(spec))
			if !ok || room(dir) == from {
				continue
			}
			if why := forbidden(from, dir); why != "" {
				report(f.Path, t.line(spec.Pos()), "%s imports %s: %s", from, dir, why)
			}
		}
	}
}

// forbidden says why a room may not import a directory of another room, "" if it may.
func forbidden(from, dir string) string {
	to := room(dir)
	switch {
	case within(to, "services"):
		if from == "services/app" && to != "services/tidings" || from == "services/tidings" && to == "services/app" {
			return ""
		}
		return "services are imported by services/app alone, and that by services/tidings; meet in NATS"
	case from == "services/tidings" && to == "scripts/bench":
		return "" // the load generator is a command of the one binary, and it stands on shared/ alone
	case !within(to, "shared"):
		return "only shared/ and services/ are imported"
	case isKit(dir), !within(from, "shared"):
		return "" // kits have a rule of their own; everything else stands on shared/
	}
	above, below := floor(strings.TrimPrefix(from, "shared/")), floor(strings.TrimPrefix(to, "shared/"))
	if below >= 0 && below < above {
		return ""
	}
	return "imports go down only"
}

// checkStandard looks at the imports of the lowest floor.
func checkStandard(t *Tree, report reporter) {
	for _, f := range t.Files {
		name, ok := strings.CutPrefix(room(path.Dir(f.Path)), "shared/")
		if level := floor(name); f.Go == nil || !ok || level < 0 || level >= standardRows {
			continue
		}
		for _, spec := range f.Go.Imports {
			imp := importPath(spec)
			if _, ours := t.inModule(imp); !ours && !isStandard(imp) {
				report(f.Path, t.line(spec.Pos()), "imports %s: this floor has the standard library only", imp)
			}
		}
	}
}

// checkKits looks for test kits in product code.
func checkKits(t *Tree, report reporter) {
	for _, f := range t.Files {
		if f.Go == nil || f.IsTest() || isKit(path.Dir(f.Path)) {
			continue
		}
		for _, spec := range f.Go.Imports {
			if dir, ok := t.inModule(importPath(spec)); ok && isKit(dir) {
				report(f.Path, t.line(spec.Pos()), "imports %s: test kits are for _test.go files and other kits", dir)
			}
		}
	}
}

// checkWalls looks for vendors outside their homes.
func checkWalls(t *Tree, report reporter) {
	for _, f := range t.Files {
		if f.Go == nil || !t.product(f) {
			continue
		}
		dir := path.Dir(f.Path)
		for _, spec := range f.Go.Imports {
			for _, w := range walls() {
				if !within(importPath(spec), w.vendor) || w.tests && (f.IsTest() || isKit(dir)) {
					continue
				}
				if !slices.ContainsFunc(w.homes, func(home string) bool { return within(dir, home) }) {
					report(f.Path, t.line(spec.Pos()), "imports %s, which lives in %s: %s",
						importPath(spec), strings.Join(w.homes, ", "), w.why)
				}
			}
		}
	}
}

// room is the part of the house that a directory belongs to: its first two
// levels, so a sub-package shares the room of its parent.
func room(dir string) string {
	parts := strings.SplitN(dir, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// floor is the row of the floorTable that holds the name, -1 for none.
func floor(name string) int {
	return slices.IndexFunc(floorTable(), func(row []string) bool { return slices.Contains(row, name) })
}

// isKit says whether a directory holds helpers for tests: shared/testkit, or a
// package named after the one it tests, such as stream/streamtest.
func isKit(dir string) bool {
	return within(dir, "shared/testkit") || path.Base(dir) == path.Base(path.Dir(dir))+"test"
}

// inModule turns an import path of the root module into a directory.
func (t *Tree) inModule(imp string) (dir string, ok bool) {
	if imp == t.Module {
		return ".", true
	}
	return strings.CutPrefix(imp, t.Module+"/")
}

// isStandard says whether an import path is the standard library's: those have no
// dot in their first part.
func isStandard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

// importPath is the path of an import; a parsed file has no import that can't be
// unquoted.
func importPath(spec *ast.ImportSpec) string {
	p, _ := strconv.Unquote(spec.Path.Value)
	return p
}
