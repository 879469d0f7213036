// Command bundle builds the browser parts of Tidings: it type-strips, bundles and
// minifies TypeScript with esbuild used as a library, so that neither a build of
// the product nor this command needs more than Go and the sources in node_modules.
//
//	go run -C scripts/tools ./bundle          write the bundles into their dist directories
//	go run -C scripts/tools ./bundle -check   build in memory; fail if dist differs
//	go run -C scripts/tools ./bundle -test    run web/test with node's test runner
//
// -only NAME does it for one target: console or client. -examples DIR builds the
// example pages of the browser package instead, with its committed bundles.
//
// The bundles are committed and embedded. They are a pure function of the sources
// and of package-lock.json, so -check can compare bytes. Each target has a budget
// for what a browser downloads (JavaScript and CSS after gzip), and a build over
// its budget fails; so does one whose core, the bundle that every page loads, is
// over a budget of its own.
//
// A target with parts is split: what is imported dynamically is loaded when it is needed
// and has a budget of its own, and so has what the page begins with, which it is told to
// preload. Names of chunks hold the hash of their content. A part brings its style along
// by importing a *.sheet.css as text.
//
// esbuild does not check types; `npm run check` in the web directory does.
package main
