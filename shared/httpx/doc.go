// Package httpx is how Tidings speaks HTTP: one Echo with everything that every
// route needs, one shape of error, one server that stops well, and the admin page.
//
// A handler returns an error and nothing else about failure. The Echo of NewEcho
// turns it into application/problem+json (RFC 9457) in one place: a *Problem as it
// is, the errors of this and the lower packages by what they mean, an error that
// has a Problem method as that says, and everything else as "internal", of which
// the caller learns nothing but the request id and the log the rest. So no detail
// leaks by accident and no handler needs to think of it.
//
//	e := httpx.NewEcho(httpx.EchoConfig{Log: log, Registerer: reg})
//	e.POST("/v1/things", createThing, httpx.Authenticate(authenticator))
//	s, err := httpx.Listen(httpx.ServerConfig{Addr: ":8080", Handler: e, Log: log})
//	…
//	err = s.Run(ctx)
//
// With ServerConfig.TLS the server ends TLS itself and speaks HTTP/2 with browsers;
// package certs keeps its certificate fresh. A handler need not know: what differs is
// that a request over HTTP/2 cannot be hijacked, and that a write deadline ends its
// stream even in silence, which StreamWriter takes care of.
//
// The ResponseWriter that a handler sees is net/http's own behind *echo.Response:
// http.ResponseController can flush it, hijack it and set its deadlines. An answer
// that is not written two minutes after its request is cut, unless the handler moves
// the deadline, as StreamWriter does. A handler that streams says so with MarkStream.
//
// # Concurrency
//
// Handlers run in net/http's goroutines, one for each connection, or each request of
// HTTP/2. A Server owns one goroutine that accepts, one for the OnShutdown hook and,
// with TLS, one that looks after the certificate; Run waits for all of them.
// net/http does not wait for the handlers of connections it had to cut, nor for
// hijacked connections: those belong to whoever hijacked them. Everything that
// NewEcho and NewAdmin return is safe for concurrent use once routes are added.
package httpx
