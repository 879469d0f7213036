//go:build !linux

package raw

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/edge/connection"
)

// Sink serves nothing here: sockets are taken over on Linux only.
type Sink struct{}

// New returns a sink that serves nothing.
func New(*connection.Host) *Sink { return &Sink{} }

// Open implements connection.Sink.
func (*Sink) Open() error { return nil }

// Run implements connection.Sink.
func (*Sink) Run(ctx context.Context) { <-ctx.Done() }

// Serve implements connection.Sink.
func (*Sink) Serve(echo.Context, *connection.Conn, connection.Start) bool { return false }

// Poke implements connection.Sink.
func (*Sink) Poke() {}

// Look implements connection.Sink.
func (*Sink) Look(context.Context, func(*connection.Sight)) error { return nil }

// LeaveWithin implements connection.Sink.
func (*Sink) LeaveWithin(time.Duration) {}
