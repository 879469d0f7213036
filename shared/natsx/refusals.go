package natsx

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// refusals ends the calls that the server just refused. It says so in a message
// of its own that names the subject only, and never answers the refused request:
// left alone, a caller without permission would take NATS to be away.
type refusals struct {
	mu    sync.Mutex
	calls map[*call]struct{}
}

// call is one call under Guard.
type call struct {
	subjects []string
	cancel   context.CancelCauseFunc
}

func newRefusals() *refusals { return &refusals{calls: map[*call]struct{}{}} }

// refuse ends the calls that err is about, if it is about any.
func (r *refusals) refuse(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	_, quoted, ok := strings.Cut(err.Error(), "Publish to ")
	if !ok {
		return
	}
	prefix, parseErr := strconv.QuotedPrefix(quoted)
	if parseErr != nil {
		return
	}
	subject, parseErr := strconv.Unquote(prefix)
	if parseErr != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.calls {
		if c.concerns(subject) {
			c.cancel(err)
		}
	}
}

// concerns reports whether the call sends to a subject. Subjects of calls may end with ">".
func (c *call) concerns(subject string) bool {
	for _, s := range c.subjects {
		if prefix, ok := strings.CutSuffix(s, ">"); s == subject || ok && strings.HasPrefix(subject, prefix) {
			return true
		}
	}
	return false
}

// Guard calls do, which sends a request to one of the subjects and waits for the
// answer, and ends its context as soon as the server refuses a message to such a
// subject; a subject may end with ">". The error is then the server's, which
// Classify takes for ErrReadOnly; else it is do's own.
func (c *Conn) Guard(ctx context.Context, do func(context.Context) error, subjects ...string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	k := &call{subjects: subjects, cancel: cancel}
	r := c.refusals
	r.mu.Lock()
	r.calls[k] = struct{}{}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.calls, k)
		r.mu.Unlock()
	}()
	err := do(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, nats.ErrPermissionViolation) {
		return cause
	}
	return err
}
