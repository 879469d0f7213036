package ops

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tidings/services/edge/connection"
	"tidings/shared/event"
	"tidings/shared/subject"
)

// ConnectionsQuestion asks for connections. Empty fields select all.
type ConnectionsQuestion struct {
	// User, IP, Topic and State select connections.
	User  string `json:"user"`
	IP    string `json:"ip"`
	Topic string `json:"topic"`
	State string `json:"state"`
	// Limit is how many are listed, MaxPage at most; After is the last name of the page
	// before.
	Limit int    `json:"limit"`
	After string `json:"after"`
}

// ConnectionsAnswer is a page of connections, ordered by name.
type ConnectionsAnswer struct {
	Connections []json.RawMessage `json:"connections"`
	// Total is how many are selected, on all pages.
	Total int `json:"total"`
	// Last is the name of the last one here, "" if there is none; More says that there
	// are others after it.
	Last string `json:"last"`
	More bool   `json:"more"`
}

// shown is a connection as operators see it.
type shown struct {
	Conn      string            `json:"conn"`
	Node      string            `json:"node"`
	User      string            `json:"user"`
	IP        string            `json:"ip"` // "" if the client has none
	Transport string            `json:"transport"`
	Encoding  string            `json:"encoding"`
	Sink      string            `json:"sink"`
	Topics    []subject.Pattern `json:"topics"`
	Cursor    string            `json:"cursor"`
	Lag       uint64            `json:"lag"`
	State     string            `json:"state"`
	Since     time.Time         `json:"since"`
}

// Connections lists connections.
func (d *Desk) Connections(ctx context.Context, q ConnectionsQuestion) (ConnectionsAnswer, error) {
	limit, err := pageOf(q.Limit)
	if err != nil {
		return ConnectionsAnswer{}, err
	}
	f, err := makeFilter(q.User, q.IP, q.Topic, q.State)
	if err != nil {
		return ConnectionsAnswer{}, err
	}
	if len(q.After) > maxName {
		return ConnectionsAnswer{}, bad("after is no connection")
	}
	p := page{limit: limit, after: q.After, tag: d.host.Tag(), node: d.node}
	x := d.tail.Extent()
	p.head = event.Cursor{Epoch: x.Epoch, Seq: x.Head}
	if err := d.look(ctx, func(v *connection.Sight) {
		if f.fits(v) {
			p.take(v)
		}
	}); err != nil {
		return ConnectionsAnswer{}, err
	}
	return p.answer()
}

// page gathers the first connections after a name, of many.
type page struct {
	limit     int
	after     string
	tag, node string
	head      event.Cursor

	total int
	more  bool // there are others than those in list
	list  []shown
	bound string // no other is wanted from here on, "" if there is no bound yet
}

// take counts a connection, and keeps it if it may be one of the first.
func (p *page) take(v *connection.Sight) {
	p.total++
	name := v.Conn.Name()
	if name <= p.after {
		return
	}
	if p.bound != "" && name >= p.bound {
		p.more = true
		return
	}
	ip := ""
	if a := v.Conn.IP(); a.IsValid() {
		ip = a.String()
	}
	topics := slices.Clone(v.Patterns)
	if topics == nil {
		topics = []subject.Pattern{} // for JSON: none, not unknown
	}
	p.list = append(p.list, shown{
		Conn: name, Node: p.node, User: v.Conn.User(), IP: ip, Transport: v.Conn.Transport(), Encoding: v.Conn.Encoding(), Sink: v.Sink,
		Topics: topics, Cursor: v.Cursor.String(), Lag: lag(v, p.head), State: string(v.Progress), Since: v.Conn.Since().UTC(),
	})
	if len(p.list) >= 2*p.limit+1 {
		p.cut()
	}
}

// cut drops all but the first.
func (p *page) cut() {
	slices.SortFunc(p.list, func(a, b shown) int { return cmp.Compare(a.Conn, b.Conn) })
	if len(p.list) > p.limit {
		p.bound, p.more = p.list[p.limit].Conn, true
		clear(p.list[p.limit:])
		p.list = p.list[:p.limit]
	}
}

// answer makes the page, of as many as fit.
func (p *page) answer() (ConnectionsAnswer, error) {
	p.cut()
	a := ConnectionsAnswer{Connections: []json.RawMessage{}, Total: p.total, More: p.more}
	bytes := 0
	for _, s := range p.list {
		b, err := json.Marshal(s)
		if err != nil {
			return a, fmt.Errorf("encode a connection: %w", err)
		}
		if bytes += len(b); bytes > pageBytes && len(a.Connections) > 0 {
			a.More = true
			break
		}
		a.Connections = append(a.Connections, b)
		a.Last = s.Conn
	}
	return a, nil
}
