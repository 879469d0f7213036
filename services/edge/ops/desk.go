package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"tidings/services/edge/connection"
	"tidings/services/edge/tail"
	"tidings/shared/event"
	"tidings/shared/mesh"
	"tidings/shared/subject"
)

const (
	// MaxPage bounds how many connections or topics one answer lists.
	MaxPage = 500
	// defaultPage is how many are listed unless asked for more or fewer.
	defaultPage = 100
	// pageBytes bounds an answer: connections may have a hundred long topics each.
	pageBytes = mesh.MaxBytes / 2
	// maxName bounds what names are compared with: a user's id is the longest.
	maxName = 1024
)

// Desk is where operators' questions come in. Make one with New.
type Desk struct {
	node  string
	host  *connection.Host
	tail  *tail.Tail
	sinks []connection.Sink
}

// New returns the desk of an edge.
func New(node string, host *connection.Host, t *tail.Tail, sinks []connection.Sink) *Desk {
	return &Desk{node: node, host: host, tail: t, sinks: sinks}
}

// Questions are those that an edge answers in the mesh.
func (d *Desk) Questions() map[string]mesh.Handler {
	return map[string]mesh.Handler{
		"connections": asked(d.Connections),
		"cut":         asked(d.Cut),
		"topics":      asked(d.Topics),
		"topic-users": asked(d.TopicUsers),
	}
}

// asked makes a handler of a method: the question's body is decoded strictly.
func asked[Q, A any](fn func(context.Context, Q) (A, error)) mesh.Handler {
	return func(ctx context.Context, body []byte) (any, error) {
		var q Q
		if len(body) > 0 {
			dec := json.NewDecoder(bytes.NewReader(body))
			dec.DisallowUnknownFields()
			err := dec.Decode(&q)
			if err == nil && !errors.Is(dec.Decode(&struct{}{}), io.EOF) {
				err = errors.New("it goes on after its end")
			}
			if err != nil {
				return nil, bad("the question is malformed: %v", err)
			}
		}
		return fn(ctx, q)
	}
}

func bad(format string, args ...any) error {
	return &mesh.Error{Code: mesh.CodeBad, Detail: fmt.Sprintf(format, args...)}
}

// pageOf checks how many an answer is to list.
func pageOf(limit int) (int, error) {
	switch {
	case limit == 0:
		return defaultPage, nil
	case limit < 0 || limit > MaxPage:
		return 0, bad("limit must be 1 to %d", MaxPage)
	}
	return limit, nil
}

// filter selects connections; its zero fields select all.
type filter struct {
	user  string
	ip    netip.Addr
	topic subject.Pattern
	state connection.Progress
	conn  string
	token uint64
}

// makeFilter checks what an operator filters by.
func makeFilter(user, ip, topic, state string) (filter, error) {
	f := filter{user: user}
	if len(user) > maxName {
		return f, bad("user is too long")
	}
	if ip != "" {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			return f, bad("ip is no address")
		}
		f.ip = addr.WithZone("").Unmap()
	}
	if topic != "" {
		p, err := subject.ParsePattern(topic)
		if err != nil {
			return f, bad("topic is malformed: %v", err)
		}
		f.topic = p
	}
	switch p := connection.Progress(state); p {
	case "", connection.Live, connection.CatchingUp, connection.Stalled:
		f.state = p
	default:
		return f, bad("state must be %s, %s or %s", connection.Live, connection.CatchingUp, connection.Stalled)
	}
	return f, nil
}

// fits reports whether a connection is selected. One that follows a topic, by whatever
// pattern, is found by the topic's name; one that follows a part of a pattern by the
// pattern.
func (f *filter) fits(v *connection.Sight) bool {
	switch {
	case f.user != "" && v.Conn.User() != f.user,
		f.state != "" && v.Progress != f.state,
		f.token != 0 && v.Token != f.token,
		f.ip.IsValid() && v.Conn.IP() != f.ip,
		f.conn != "" && !v.Conn.ID.Is(f.conn):
		return false
	case f.topic == "":
		return true
	}
	for _, p := range v.Patterns {
		if p.Covers(f.topic) || f.topic.Covers(p) {
			return true
		}
	}
	return false
}

// look shows the connections of all sinks.
func (d *Desk) look(ctx context.Context, fn func(*connection.Sight)) error {
	for _, s := range d.sinks {
		if err := s.Look(ctx, fn); err != nil {
			return fmt.Errorf("look at the connections: %w", err)
		}
	}
	return nil
}

// lag is how many entries of the log are after a connection's position, those of
// others' topics among them.
func lag(v *connection.Sight, head event.Cursor) uint64 {
	switch {
	case v.Progress == connection.Live:
		return 0 // it has what there is for it; its position may be that of long ago
	case v.Cursor.Epoch != head.Epoch:
		return head.Seq
	case v.Cursor.Seq >= head.Seq:
		return 0
	}
	return head.Seq - v.Cursor.Seq
}
