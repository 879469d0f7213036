// Package mesh lets the services of a Tidings see and ask each other, wherever they
// run. Each service of each process joins as a NATS micro service, so that
// "nats micro ls" shows the mesh too: its name is the prefix and the service
// ("tidings-edge"), its metadata say the node and the tag of this instance, and the
// statistics of its endpoint "figures" carry what it counts.
//
// A member answers named questions with JSON on "<prefix>.svc.<service>.<tag>.<question>".
// Whoever has a Mesh looks around, asks one member, or asks all of a service and
// learns who did not answer: the part of an answer that is there is worth having.
//
// A question that any member can answer is shared: it is asked on
// "<prefix>.svc.<service>.<question>", and one of the members that are there gets it.
// No Mesh is needed for that: `nats req tidings.svc.notifier.notify '{…}'` does, and so
// does any language's client of NATS.
//
// A refusal is told as NATS's micro services do, with the headers Nats-Service-Error and
// Nats-Service-Error-Code, a status of HTTP. Where it is a problem of package httpx, the
// body is that problem, and whoever asked over a Mesh can pass it on as its own.
//
// Nobody keeps a list of members anywhere. Who answers is there. A Mesh only
// remembers how many answered last time, so as to wait no longer than needed, and who
// has gone lately, so that somebody can be told.
//
// Everything is bounded: requests, answers, members, and the time for each. A member
// is subscribed again by the NATS client after a reconnect, without anyone's help.
//
// # Concurrency
//
// A Mesh is safe for concurrent use. A member answers each of its own questions one
// request after the other, in the goroutine of the question's subscription; different
// questions run at the same time. Each request of a shared question runs in a goroutine
// of its own, a bounded number at a time and in no order. Leave waits for the answers
// under way. AskAll runs a few requests at a time, each in a goroutine it waits for.
package mesh
