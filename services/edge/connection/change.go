package connection

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/subject"
)

// busyRetry is when to try again to change a connection that is busy.
const busyRetry = time.Second

// Change is a wish to change a live connection: other topics, or a new token. Make
// it anew for every try.
type Change struct {
	// User is who wishes it: nobody changes another's connection.
	User string
	// Add and Remove are topics; both permitted, and only missing ones count. A topic
	// in both is removed.
	Add, Remove []subject.Pattern
	// Grant replaces that of the connection, if not nil. It must be the same user's
	// and allow every topic.
	Grant *auth.Grant

	givenUp <-chan struct{} // closed when nobody waits for the answer any more
	done    chan outcome    // 1 slot
}

// State is a connection after a change.
type State struct {
	// Conn is its name.
	Conn string `json:"conn"`
	// Topics are all of its topics.
	Topics []subject.Pattern `json:"topics"`
	// Cursor is its position: of a topic that was added come the events after it.
	Cursor string `json:"cursor"`
	// Expires is when its token ends, nil if never.
	Expires *time.Time `json:"expires,omitempty"`
}

// outcome answers a change.
type outcome struct {
	state State
	err   error
}

// Unknown is the answer for a connection that is not there and for one that is
// another's: who guesses names learns nothing.
func Unknown() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "connection_unknown", "You have no such live connection.").
		WithParam("conn").WithHint("It is the conn of tidings.hello, and ends with its stream.")
}

// Change changes the connection of that name. Errors are *httpx.Problem, and that of
// ctx.
func (h *Host) Change(ctx context.Context, name string, ch Change) (State, error) {
	tag, ok := TagOf(name)
	if !ok || tag != h.tag {
		return State{}, Unknown()
	}
	m := h.conns.find(ID([]byte(name[tagLen:])))
	if m == nil {
		return State{}, Unknown()
	}
	ch.givenUp, ch.done = ctx.Done(), make(chan outcome, 1)
	m.Post(&ch)
	select {
	case <-ctx.Done():
		return State{}, fmt.Errorf("change a connection: %w", ctx.Err())
	case o := <-ch.done:
		return o.state, o.err
	}
}

// Refuse answers a change of a connection that has ended.
func (ch *Change) Refuse() { ch.done <- outcome{err: Unknown()} }

// Busy answers a change of a connection that has too many to apply already.
func (ch *Change) Busy() {
	ch.done <- outcome{err: httpx.NewProblem(http.StatusServiceUnavailable, "connection_busy", "The connection is busy with other changes.").
		WithRetryAfter(busyRetry)}
}

// Plan says which topics a change adds to a connection and removes from it. If it is
// not to be, it is answered and the plan is not ok.
func (c *Conn) Plan(ch *Change) (add, remove []subject.Pattern, ok bool) {
	select {
	case <-ch.givenUp: // who was told that it failed must not find it done later
		ch.Refuse()
		return nil, nil, false
	default:
	}
	err := c.judge(ch)
	if err != nil {
		ch.done <- outcome{err: err}
		return nil, nil, false
	}
	for _, p := range c.Patterns {
		if slices.Contains(ch.Remove, p) {
			remove = append(remove, p)
		}
	}
	return c.missing(ch), remove, true
}

// missing returns what a change adds.
func (c *Conn) missing(ch *Change) []subject.Pattern {
	var add []subject.Pattern
	for _, p := range ch.Add {
		if !slices.Contains(c.Patterns, p) && !slices.Contains(add, p) && !slices.Contains(ch.Remove, p) {
			add = append(add, p)
		}
	}
	return add
}

// judge returns why a change is refused, or nil.
func (c *Conn) judge(ch *Change) error {
	if ch.User != c.user {
		return Unknown()
	}
	if ch.Grant != nil && c.h.bars.token(TokenHash(ch.Grant.TokenID)) {
		return &auth.Error{Code: auth.CodeTokenRevoked, Reason: "the token has been revoked: get a new one"}
	}
	add := c.missing(ch)
	after := len(c.Patterns) + len(add)
	for _, p := range c.Patterns {
		if slices.Contains(ch.Remove, p) {
			after--
		} else if ch.Grant != nil && !ch.Grant.MaySubscribe(p) {
			return httpx.NewProblem(http.StatusForbidden, "topic_denied", fmt.Sprintf("The new token does not let you read %q.", p)).
				WithParam("token").WithHint("Unsubscribe from it first, or use a token that allows all topics of the connection.")
		}
	}
	if after > c.h.cfg.Topics {
		return httpx.Bad("topics", "too_many_topics", fmt.Sprintf("One connection takes at most %d topics.", c.h.cfg.Topics)).
			WithHint("Use a pattern such as room.orders.>, or a second connection.")
	}
	return nil
}

// Apply makes a planned change true, whose topics the sink has joined and left, and
// answers it. Of the new topics come the events after the cursor.
func (c *Conn) Apply(ch *Change, add, remove []subject.Pattern) {
	c.Patterns = slices.DeleteFunc(c.Patterns, func(p subject.Pattern) bool { return slices.Contains(remove, p) })
	c.Patterns = append(slices.Clip(c.Patterns), add...)
	c.starts.add(add, c.Cursor.Seq)
	if ch.Grant != nil {
		c.end, c.token = nanoseconds(ch.Grant.Expires), TokenHash(ch.Grant.TokenID)
		if c.Socket() {
			c.Grant = ch.Grant
		}
	}
	state := State{Conn: c.Name(), Topics: slices.Clone(c.Patterns), Cursor: c.Cursor.String()}
	if state.Topics == nil {
		state.Topics = []subject.Pattern{} // for JSON: none, not unknown
	}
	if end := c.expires(); !end.IsZero() {
		state.Expires = &end
	}
	ch.done <- outcome{state: state}
}
