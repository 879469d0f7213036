// Package app wires Tidings' services into one process. It alone knows them all;
// the services know only the log, NATS and each other's subjects.
//
// Every service mounts its routes on the one public listener. A second, admin
// listener serves metrics, health and profiles. What is acquired on the way up is
// released in reverse order on the way down.
//
// # Concurrency
//
// New starts nothing but the embedded NATS server and the fetching of keys. Run
// runs the services and listeners, each in a goroutine it waits for, and returns
// when all have ended. When its context ends, the edge sends its connections away
// while the public listener still serves, then everything stops.
package app
