// Package console serves the operators' page: one embedded single-page program
// that watches Tidings through the same public event stream as everybody else.
//
// The page is written in TypeScript below web, bundled by scripts/tools/bundle
// into dist, committed and embedded; a build needs Go alone. It downloads nothing
// at run time, and its content security policy would not let it: scripts, styles
// and connections come from this server or not at all, and nothing is inline.
//
// The page and its assets are public, for they hold no data. Everything they show
// comes from endpoints that ask for a token; of this package, those are below
// /console/api, and all but info for operators only. The token reaches the page in the address's fragment, which
// browsers never send, and stays in the tab's session storage.
//
// Views come when they are first shown, in files whose names hold the hash of their
// content; other assets are asked for with it (app.js?v=…). Both are kept by browsers
// for ever. Asked for in any other way assets are checked by ETag, so a page of an older
// node behind the same name never gets stuck.
//
// A frame can't send a token, so the HTML of a template's preview is read with a pass in
// its address, signed and short-lived, and has a policy of its own that allows nothing.
//
// Operators look at all edges through the mesh: the console asks each, merges the
// answers into one, and says who did not answer. It knows edges by the questions they
// answer alone. What an operator does is written to the log as "audit".
//
// # Concurrency
//
// A Console is safe for concurrent use and starts no goroutine; Run is a member of the
// mesh while it runs.
package console
