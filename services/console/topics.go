package console

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// topicsQuestion is what an edge is asked for topics.
type topicsQuestion struct {
	Prefix string `json:"prefix,omitempty"`
	Sort   string `json:"sort,omitempty"`
	Limit  int    `json:"limit"`
}

// topicsAnswer is what an edge knows of topics and patterns.
type topicsAnswer struct {
	Topics []topic `json:"topics"`
	Total  int     `json:"total"`
}

// topic is a topic or pattern.
type topic struct {
	Topic       string `json:"topic"`
	Subscribers int    `json:"subscribers"`
	Held        int    `json:"held"`
	Events      uint64 `json:"events"`
	Last        uint64 `json:"last"`
}

// topics is the body of GET topics. Total is how many the edge with the most knows.
type topics struct {
	Topics []topic  `json:"topics"`
	Total  int      `json:"total"`
	Silent []absent `json:"silent"`
}

// listTopics is GET topics: those that any edge knows.
func (c *Console) listTopics(ctx echo.Context) error {
	q, err := query(ctx, "prefix", "sort", "limit")
	if err != nil {
		return err
	}
	limit, err := limitOf(q.Get("limit"))
	if err != nil {
		return err
	}
	// Each edge is asked for as many as there may be: what is not among the first of
	// one edge may be among the first of all.
	answers, silent, err := ask[topicsAnswer](ctx, c, "topics", topicsQuestion{Prefix: q.Get("prefix"), Sort: q.Get("sort"), Limit: maxPage})
	if err != nil {
		return err
	}
	all := map[string]topic{}
	body := topics{Topics: []topic{}, Silent: silent}
	for _, a := range answers {
		body.Total = max(body.Total, a.Value.Total)
		for _, t := range a.Value.Topics {
			all[t.Topic] = together(all[t.Topic], t)
		}
	}
	for _, t := range all {
		body.Topics = append(body.Topics, t)
	}
	body.Total = max(body.Total, len(body.Topics))
	order(body.Topics, q.Get("sort"))
	body.Topics = body.Topics[:min(len(body.Topics), limit)]
	return ctx.JSON(http.StatusOK, body)
}

// together adds one edge's view of a topic to that of others. Every edge sees every
// event of the log, but not from the same moment on: the one that knows most is
// right. Each connection is at one edge.
func together(a, b topic) topic {
	return topic{
		Topic: b.Topic, Subscribers: a.Subscribers + b.Subscribers,
		Held: max(a.Held, b.Held), Events: max(a.Events, b.Events), Last: max(a.Last, b.Last),
	}
}

// order sorts topics as the edges do.
func order(list []topic, by string) {
	slices.SortFunc(list, func(a, b topic) int {
		first := 0
		switch by {
		case "subscribers":
			first = cmp.Compare(b.Subscribers, a.Subscribers)
		case "events":
			first = cmp.Compare(b.Events, a.Events)
		}
		return cmp.Or(first, cmp.Compare(a.Topic, b.Topic))
	})
}
