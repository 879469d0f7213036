//go:build !linux

package connection

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"
)

// rawSink exists on Linux only; elsewhere every stream is an ordinary one.
type rawSink struct{}

func newRawSink(*Host) *rawSink { return nil }

func (*rawSink) open() error { return nil }

func (*rawSink) run(context.Context) {}

func (*rawSink) leaveWithin(time.Duration) {}

func (*rawSink) serve(echo.Context, *conn, string) bool { return false }
