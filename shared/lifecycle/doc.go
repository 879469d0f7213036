// Package lifecycle starts things together and stops them in reverse.
//
// A process is built top to bottom: open this, then that, which needs this. Each
// step that acquired something says how to give it back with Stack.OnStop; one
// Stop undoes all of it, last first, also when building failed half-way. What
// then runs for as long as the process lives is a Task, and Run runs them all:
// the first one that fails ends the others.
//
// # Concurrency
//
// A Stack is safe for concurrent use. Its steps run one at a time in the
// goroutine of the first Stop; other calls of Stop wait for it. Run gives each
// Task a goroutine and returns only after every one of them has ended.
package lifecycle
