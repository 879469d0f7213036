// Package e2e drives the real product with a real browser. Its tests build the
// tidings binary with the race detector, start `tidings dev` as a process of its
// own on free ports and a fresh directory, open its pages in a headless Chromium
// and look at what a person would see.
//
// What is proven here can be proven nowhere else: that a browser's own EventSource
// comes back by itself and ends with every event once and in order, whether a
// proxy hung up, the process was killed or it was told to stop; that the console
// is live and says so; that hostile events stay text; that nothing overflows on a
// phone. Every page that a test opens also fails it by an error or a warning in
// the browser's console, a violated content security policy among them, unless
// the test said that it expects one.
//
// It is also proven that compressed streams are right in clients as they are:
// Chromium, Firefox, curl and Node's fetch each get small and large events, every
// one only after the last was heard, so that none can be held back, and then the
// end of the stream as that of a valid gzip file.
//
// And the browser package keeps its promises in a browser, with the bundles that
// people get: behind proxies that hold streams back or refuse them, with tokens that
// live for seconds, in seven tabs of which the first is closed, over the back button,
// a closed lid and an edge that is killed and stopped, a page ends with every event
// once and in order.
//
//	go test -C scripts/tools -race -count=1 ./e2e
//	TIDINGS_SHOTS=/some/dir go test -C scripts/tools -count=1 -run Looks ./e2e
//
// The second keeps screenshots. A missing Chromium fails the run; it is looked
// for under its usual names, or where TIDINGS_CHROMIUM says. A missing Firefox
// (TIDINGS_FIREFOX), curl or Node fails its test.
//
// # Concurrency
//
// One Chromium serves all tests but the one that stops a whole browser. Each test has
// its processes and, in a browser context of its own, its pages, so that cookies and
// storage are not shared and tests may run in parallel; Firefox is started by its
// test. Everything is waited for by condition and with a deadline. A process's output, a page's complaints and
// what goes over a tap are collected by the goroutines of os/exec, chromedp and the
// tap, behind mutexes; what a client of a compressed stream hears comes through a
// channel for each stream.
package e2e
