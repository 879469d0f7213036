// Package notifier takes notifications in and sees to it that each person gets them
// the way they want: POST /v1/notify, the question "notify" of the mesh, or a plain
// publish.
//
// What it accepts is in the ledger before it says so; what becomes of it is the matter
// of package deliver, and what became of it that of package timeline. It also answers,
// for the edges and the console, what is in an inbox and what people prefer.
//
// # Concurrency
//
// A Notifier is safe for concurrent use. Run owns the goroutines of the worker that
// decides, of the plan, of the plain publishes and of the membership in the mesh, and
// returns after all have ended.
package notifier
