package ops

import (
	"cmp"
	"context"
	"slices"

	"tidings/services/edge/tail"
	"tidings/shared/subject"
)

// TopicsQuestion asks for topics and patterns.
type TopicsQuestion struct {
	// Prefix is how their names begin, "" for all.
	Prefix string `json:"prefix"`
	// Sort is by "topic", "subscribers" or "events", the largest first; topic unless said.
	Sort string `json:"sort"`
	// Limit is how many are listed, MaxPage at most.
	Limit int `json:"limit"`
}

// TopicsAnswer lists topics and patterns.
type TopicsAnswer struct {
	Topics []Topic `json:"topics"`
	// Total is how many there are that begin so.
	Total int `json:"total"`
}

// Topic is what an edge knows of a topic or pattern.
type Topic struct {
	Topic subject.Pattern `json:"topic"`
	// Subscribers are the connections of this edge that named it.
	Subscribers int `json:"subscribers"`
	// Held is how many of its events are in memory, Events how many came since the edge
	// knows it: if that falls, the edge had forgotten it in between.
	Held   int    `json:"held"`
	Events uint64 `json:"events"`
	// Last is the sequence of its newest event, 0 if there was none.
	Last uint64 `json:"last"`
}

// Topics lists topics and patterns: those with connections, or with events in memory.
func (d *Desk) Topics(ctx context.Context, q TopicsQuestion) (TopicsAnswer, error) {
	limit, err := pageOf(q.Limit)
	if err != nil {
		return TopicsAnswer{}, err
	}
	if len(q.Prefix) > subject.MaxLen {
		return TopicsAnswer{}, bad("prefix is too long")
	}
	order, err := orderBy(q.Sort)
	if err != nil {
		return TopicsAnswer{}, err
	}
	a := TopicsAnswer{Topics: []Topic{}}
	keep := func(n int) {
		slices.SortFunc(a.Topics, order)
		a.Topics = a.Topics[:min(len(a.Topics), n)]
	}
	d.tail.Standings(q.Prefix, func(s tail.Standing) {
		a.Total++
		a.Topics = append(a.Topics, Topic{Topic: s.Pattern, Subscribers: s.Subscribers, Held: s.Held, Events: s.Events, Last: s.Last})
		if len(a.Topics) > 2*MaxPage {
			keep(limit)
		}
	})
	keep(limit)
	return a, ctx.Err()
}

// orderBy returns how topics are ordered.
func orderBy(name string) (func(a, b Topic) int, error) {
	byName := func(a, b Topic) int { return cmp.Compare(a.Topic, b.Topic) }
	switch name {
	case "", "topic":
		return byName, nil
	case "subscribers":
		return func(a, b Topic) int { return cmp.Or(cmp.Compare(b.Subscribers, a.Subscribers), byName(a, b)) }, nil
	case "events":
		return func(a, b Topic) int { return cmp.Or(cmp.Compare(b.Events, a.Events), byName(a, b)) }, nil
	}
	return nil, bad("sort must be topic, subscribers or events")
}
