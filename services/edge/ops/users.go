package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"tidings/services/edge/connection"
	"tidings/shared/mesh"
	"tidings/shared/subject"
)

const (
	// MaxUsers bounds how many users one answer lists: ids are short.
	MaxUsers = 10_000
	// defaultUsers is how many are listed unless asked for more or fewer.
	defaultUsers = 1000
	// usersBytes bounds their ids as JSON; the rest of an answer is a few words.
	usersBytes = mesh.MaxBytes - 1<<10
)

// TopicUsersQuestion asks who follows a topic now, by whatever pattern.
type TopicUsersQuestion struct {
	Topic string `json:"topic"`
	// Limit is how many are listed, MaxUsers at most; After is the last user of the page
	// before.
	Limit int    `json:"limit"`
	After string `json:"after"`
}

// TopicUsersAnswer lists users, each once, in the order of their ids.
type TopicUsersAnswer struct {
	Users []string `json:"users"`
	// More says that there are others after the last one.
	More bool `json:"more"`
}

// TopicUsers lists the users with a connection here that follows a topic, or a pattern
// that covers it.
func (d *Desk) TopicUsers(ctx context.Context, q TopicUsersQuestion) (TopicUsersAnswer, error) {
	topic, err := subject.ParseTopic(q.Topic)
	switch {
	case err != nil:
		return TopicUsersAnswer{}, bad("topic is malformed: %v", err)
	case q.Limit < 0 || q.Limit > MaxUsers:
		return TopicUsersAnswer{}, bad("limit must be 1 to %d", MaxUsers)
	case len(q.After) > maxName:
		return TopicUsersAnswer{}, bad("after is too long")
	case q.Limit == 0:
		q.Limit = defaultUsers
	}
	r := roll{limit: q.Limit, after: q.After, seen: map[string]bool{}}
	f := filter{topic: subject.Pattern(topic)}
	if err := d.look(ctx, func(v *connection.Sight) {
		if f.fits(v) {
			r.take(v.Conn.User())
		}
	}); err != nil {
		return TopicUsersAnswer{}, err
	}
	return r.answer()
}

// roll gathers the first users after one, each once, of many.
type roll struct {
	limit int
	after string

	seen  map[string]bool // at most twice as many as are wanted
	bound string          // no other is wanted from here on, "" if there is no bound yet
	more  bool
}

// take keeps a user who may be one of the first.
func (r *roll) take(user string) {
	switch {
	case user <= r.after || r.seen[user]:
		return
	case r.bound != "" && user >= r.bound:
		r.more = true
		return
	}
	r.seen[user] = true
	if len(r.seen) > 2*r.limit {
		r.cut()
	}
}

// cut drops all but the first and returns those.
func (r *roll) cut() []string {
	list := make([]string, 0, len(r.seen))
	for user := range r.seen {
		list = append(list, user)
	}
	slices.Sort(list)
	if len(list) > r.limit {
		r.bound, r.more = list[r.limit], true
		for _, user := range list[r.limit:] {
			delete(r.seen, user)
		}
		list = list[:r.limit]
	}
	return list
}

// answer makes the page, of as many as fit.
func (r *roll) answer() (TopicUsersAnswer, error) {
	a := TopicUsersAnswer{Users: []string{}}
	list := r.cut()
	bytes := 0
	for _, user := range list {
		b, err := json.Marshal(user)
		if err != nil {
			return a, fmt.Errorf("encode a user: %w", err)
		}
		if bytes += len(b) + len(","); bytes > usersBytes {
			r.more = true
			break
		}
		a.Users = append(a.Users, user)
	}
	a.More = r.more
	return a, nil
}
