package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings/services/edge/connection"
	"tidings/shared/auth"
	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/subject"
)

// defaultWait and maxWait are how long a poll waits for an event: shorter than the
// 30 s after which common proxies give an answer up, unless its client knows better.
// The server itself gives an answer two minutes.
const defaultWait, maxWait = 25 * time.Second, 90 * time.Second

// ownTopic is what clients write for their own topic, so that they never need to
// know how an id is escaped.
const ownTopic = "user"

// parseRequest reads the query and Last-Event-ID of a stream. Every fault names
// its part.
func (e *Edge) parseRequest(r *http.Request, g *auth.Grant, f form) (connection.Request, error) {
	req := connection.Request{Grant: g}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return req, httpx.Bad("query", "bad_query", "The query string is malformed.")
	}
	known := append([]string{"topics", "cursor", "rewind", auth.TicketParam}, f.params...)
	for name := range query {
		if !slices.Contains(known, name) {
			return req, httpx.Bad(name, "unknown_parameter", "There is no such parameter here.").
				WithHint("Known are " + strings.Join(known, ", ") + ".")
		}
	}
	if req.Patterns, err = e.parseTopics(query["topics"], g); err != nil {
		return req, err
	}
	if len(req.Patterns) == 0 && !f.silent {
		return req, httpx.Bad("topics", "no_topics", "Say which topics to stream.").
			WithHint("For example ?topics=user,room.ops")
	}
	name, value := "cursor", query.Get("cursor")
	if id := r.Header.Get("Last-Event-ID"); id != "" { // a reconnecting browser's is newer than its URL
		name, value = "Last-Event-ID", id
	}
	if value != "" {
		if req.Cursor, err = event.ParseCursor(value); err != nil {
			return req, badCursor(name, err)
		}
	}
	if s := query.Get("rewind"); s != "" {
		if req.Rewind, err = strconv.Atoi(s); err != nil || req.Rewind < 0 || req.Rewind > maxRewind {
			return req, httpx.Bad("rewind", "bad_rewind", fmt.Sprintf("rewind must be a whole number from 0 to %d.", maxRewind))
		}
	}
	return req, nil
}

func badCursor(name string, err error) error {
	return httpx.Bad(name, "bad_cursor", "The cursor is malformed.").
		WithHint("Use the id of an event exactly as it was sent: <epoch>-<sequence>.").WithCause(err)
}

// parseWait reads how long a poll may wait, in seconds.
func parseWait(r *http.Request) (time.Duration, error) {
	s := r.URL.Query().Get("wait")
	if s == "" {
		return defaultWait, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > int(maxWait/time.Second) {
		return 0, httpx.Bad("wait", "bad_wait", fmt.Sprintf("wait must be a whole number of seconds from 0 to %d.", maxWait/time.Second))
	}
	return time.Duration(n) * time.Second, nil
}

// parseTopics reads comma-separated topics and patterns and checks the grant.
func (e *Edge) parseTopics(values []string, g *auth.Grant) ([]subject.Pattern, error) {
	var list []subject.Pattern
	for s := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		p, err := mayRead("topics", s, g)
		if err != nil {
			return nil, err
		}
		if slices.Contains(list, p) {
			continue
		}
		if len(list) == e.cfg.Topics {
			return nil, httpx.Bad("topics", "too_many_topics", fmt.Sprintf("One connection takes at most %d topics.", e.cfg.Topics)).
				WithHint("Use a pattern such as room.orders.>, or a second connection.")
		}
		list = append(list, p)
	}
	return slices.Clone(list), nil // without room to grow: it lives as long as the connection
}

// mayRead parses a topic or pattern of a client and checks that it may read that.
func mayRead(param, s string, g *auth.Grant) (subject.Pattern, error) {
	p, err := parsePattern(param, s, g)
	if err != nil {
		return "", err
	}
	if !g.MaySubscribe(p) {
		return "", httpx.NewProblem(http.StatusForbidden, "topic_denied", fmt.Sprintf("Your token does not let you read %q.", p)).
			WithParam(param).WithHint("The claim tidings.sub lists what a token may read.")
	}
	return p, nil
}

// parsePattern parses one topic or pattern of a client.
func parsePattern(param, s string, g *auth.Grant) (subject.Pattern, error) {
	if s == ownTopic {
		return subject.Pattern(subject.User(g.User)), nil
	}
	p, err := subject.ParsePattern(s)
	if err != nil {
		return "", badTopic(param, err)
	}
	return p, nil
}

func badTopic(param string, err error) error {
	return httpx.Bad(param, "bad_topic", "There is a malformed name: "+err.Error()+".").
		WithHint("Topics are user, user.<id>, room.<name>… and all; bytes outside [A-Za-z0-9_-] are written =HH.")
}
