//go:build !linux

package floor

import (
	"context"
	"errors"
)

// errPlatform says that the floor is known on Linux only, where a thread's own time
// can be asked for.
var errPlatform = errors.New("the floor of write(2) is measured on Linux only")

// Floor holds connected sockets; it exists on Linux only.
type Floor struct{}

// Open reports that there is no floor here.
func Open(context.Context, []string, int) (*Floor, error) { return nil, errPlatform }

// Measure reports that there is no floor here.
func (f *Floor) Measure(context.Context, Work) (Cost, error) { return Cost{}, errPlatform }

// Close does nothing.
func (f *Floor) Close() error { return nil }
