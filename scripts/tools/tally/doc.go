// Command tally reads what `go test -json` writes and retells it for people: the
// closing line of every package as go test prints it, the whole output of what
// failed, nothing of what passed. Last it adds its counts to a file, so that one
// sum can be made over several runs.
//
//	go test -json ./... | tally -counts FILE [-min N]
//
// It exits with 1 if anything failed, or if fewer than N tests passed: a run that
// found no tests is no success. Lines that are not JSON, such as a compiler's, are
// passed on.
package main
