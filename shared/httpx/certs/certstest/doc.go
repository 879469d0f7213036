// Package certstest makes certificates for tests: an authority of the test's own, the
// pairs it issues, and files to put them in. Keys are made anew each time; nothing is
// trusted but by who takes the authority's pool.
package certstest
