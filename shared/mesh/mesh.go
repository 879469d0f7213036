package mesh

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// MaxBytes bounds an answer: NATS carries no more in its default configuration.
	MaxBytes = 1<<20 - 4<<10 // and the headers have to fit too
	// MaxAsked bounds the body of a question. Questions are a few fields.
	MaxAsked = 64 << 10
	// lookTime is how long Look waits for members it knows of, or of whom it cannot
	// know: longer than a pause of a collector, shorter than a person notices.
	lookTime = 300 * time.Millisecond
	// lookQuiet is how long Look waits for newcomers once all it knows of have answered.
	lookQuiet = 25 * time.Millisecond
	// maxMembers bounds what Look keeps; a mesh has dozens.
	maxMembers = 1000
	// gonePeriod is how long somebody who has gone is remembered.
	gonePeriod = time.Minute
)

// Names of a member's metadata, and of the endpoint that carries its figures.
const (
	metaPrefix  = "prefix"
	metaService = "service"
	metaNode    = "node"
	metaTag     = "tag"
	figuresName = "figures"
)

// Member is one service of one process.
type Member struct {
	// Service is what it is, such as "edge"; Node names its process and Tag this start
	// of it: no two members of a service have the same one.
	Service string `json:"service"`
	Node    string `json:"node"`
	Tag     string `json:"tag"`
	// Version is that of its build, as a semantic version.
	Version string `json:"version"`
	// Started is when it joined.
	Started time.Time `json:"started"`
	// Figures are what it counts, in its own words: an object of JSON, or null.
	Figures json.RawMessage `json:"figures"`
}

// Roster is what Look saw.
type Roster struct {
	// Members are those that answered, by service and node.
	Members []Member
	// Gone are those that answered a while ago and did not now, with the figures they
	// had then. After a minute they are forgotten.
	Gone []Member
}

// Mesh is the way to the others. Make one with New.
type Mesh struct {
	conn  *natsx.Conn
	space subject.Space
	log   *slog.Logger

	mu       sync.Mutex
	expected int                 // how many answered the last Look
	seen     map[string]sighting // by service and tag
}

// sighting is when a member last answered.
type sighting struct {
	member Member
	at     time.Time
}

// New returns the mesh of a space. It starts nothing.
func New(conn *natsx.Conn, space subject.Space, log *slog.Logger) *Mesh {
	return &Mesh{conn: conn, space: space, log: log, seen: map[string]sighting{}}
}

// Look asks who is there. It returns once all that answered last time have done so
// again and nobody else comes forward, or after 300 ms: a member that died or hangs
// costs the next Look that time, once. Errors are natsx.ErrAway and the like, and that
// of ctx.
func (m *Mesh) Look(ctx context.Context) (Roster, error) {
	m.mu.Lock()
	expected := m.expected
	m.mu.Unlock()
	list, err := m.muster(ctx, expected)
	if err != nil {
		return Roster{}, err
	}
	slices.SortFunc(list, compareMembers)
	return Roster{Members: list, Gone: m.remember(list)}, nil
}

// compareMembers orders members by service, node and tag.
func compareMembers(a, b Member) int {
	return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Tag, b.Tag))
}

// remember notes who is there and returns who has gone.
func (m *Mesh) remember(list []Member) []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.expected = len(list)
	for _, x := range list {
		m.seen[x.Service+"."+x.Tag] = sighting{x, now}
	}
	var gone []Member
	for key, s := range m.seen {
		switch {
		case now.Sub(s.at) > gonePeriod:
			delete(m.seen, key)
		case !s.at.Equal(now):
			gone = append(gone, s.member)
		}
	}
	slices.SortFunc(gone, compareMembers)
	return gone
}

// muster calls everybody and collects the answers.
func (m *Mesh) muster(ctx context.Context, expected int) ([]Member, error) {
	nc := m.conn.NC
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", natsx.Classify(err))
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	call, err := micro.ControlSubject(micro.StatsVerb, "", "")
	if err != nil {
		return nil, fmt.Errorf("control subject: %w", err)
	}
	if err := nc.PublishRequest(call, inbox, nil); err != nil {
		return nil, fmt.Errorf("call the members: %w", natsx.Classify(err))
	}
	within, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var list []Member
	for len(list) < maxMembers {
		msg, err := next(within, sub, expected > 0 && len(list) >= expected)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("collect the members: %w", ctx.Err())
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrNoResponders):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("collect the members: %w", natsx.Classify(err))
		}
		if x, ok := m.memberOf(msg.Data); ok {
			list = append(list, x)
		}
	}
	return list, nil
}

// next waits for the next answer, only shortly if all are there that were expected.
func next(ctx context.Context, sub *nats.Subscription, enough bool) (*nats.Msg, error) {
	if enough {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lookQuiet)
		defer cancel()
	}
	return sub.NextMsgWithContext(ctx)
}

// memberOf reads an answer. Other programs' services share the subject, and so do
// those of another Tidings.
func (m *Mesh) memberOf(data []byte) (Member, bool) {
	var s micro.Stats
	if json.Unmarshal(data, &s) != nil || s.Metadata[metaPrefix] != m.space.Prefix() || s.Metadata[metaTag] == "" {
		return Member{}, false
	}
	x := Member{
		Service: s.Metadata[metaService], Node: s.Metadata[metaNode], Tag: s.Metadata[metaTag],
		Version: s.Version, Started: s.Started, Figures: json.RawMessage("null"),
	}
	for _, e := range s.Endpoints {
		if e.Name == figuresName && len(e.Data) > 0 {
			x.Figures = e.Data
		}
	}
	return x, strings.HasSuffix(s.Name, "-"+x.Service)
}
