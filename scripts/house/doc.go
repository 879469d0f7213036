// Package house keeps the rules of the house as code: what DESIGN.md says about
// imports, sizes, words and layout is checked here by `go test ./scripts/house`.
//
// Load reads a source tree once, from any fs.FS, and parses its Go files. A Rule
// looks at the Tree and answers with Findings, each naming a file, a line and
// what to do instead; Rules lists them all. The package knows nothing but the
// tree: it runs no tool and needs no built package, so it is the first thing
// that fails and it fails in a second.
//
// Every rule is proven able to fail: the tests hold a small tree for each that
// breaks it, and a rule without such a tree fails them. An exception is never a
// comment in the judged file but a line in a table here, with its reason, so
// that all exceptions can be read in one place.
//
// The tree is what git would track: the root's .gitignore is honoured, as far as
// its patterns are plain names and globs. All functions are pure; a Tree must not
// be written to and may then be read by many rules at once.
package house
