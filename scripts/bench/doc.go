// Package bench measures a Tidings server: what a delivery and a connection cost,
// how long events take, and whether every one of them arrived exactly once. The
// server is a process of its own, started by the bench or already running, and it
// is measured from outside: by /proc and by what its clients receive.
//
// Microseconds depend on the machine and on who else uses it. So the bench also
// measures, before and after, what the kernel alone charges for the same bytes
// (package floor) and states the server's cost as a multiple of that.
//
// A run is a few stages, each with a population of subscribers (package load) that
// several scenarios share, because connecting thousands takes longer than measuring
// them. stage_crowd.go has the large population, stage_room.go the usual ones, and
// stage_soak.go a restless one (package churn) whose memory is watched. stage_notify.go has
// no subscribers: it notifies people (package notices). What was found is a report
// (package report).
//
// # Concurrency
//
// Run works in the caller's goroutine; one more waits for the server's process, during a
// soak one samples its memory, and during notify one posts and one waits for NATS.
package bench
