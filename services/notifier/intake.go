package notifier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"tidings/services/notifier/deliver"
	"tidings/services/notifier/route"
	"tidings/shared/event"
	"tidings/shared/mesh"
	"tidings/shared/subject"
)

const (
	// retryAfter is when a client refused for a passing reason should come back.
	retryAfter = 2 * time.Second
	// durable names the consumer of plain publishes.
	durable = "notifier"
	// mostFollowers is how many people of a topic one edge is asked for.
	mostFollowers = 10_000
	// questionsAtOnce is how many questions of a kind are answered at the same time.
	questionsAtOnce = 64
)

// join makes the notifier a member of the mesh.
func (n *Notifier) join() (*mesh.Membership, error) {
	started := time.Now()
	shared := func(h mesh.Handler, most int) mesh.Shared {
		return mesh.Shared{Handler: func(ctx context.Context, body []byte) (any, error) {
			out, err := h(ctx, body)
			return out, problem(err)
		}, Concurrent: questionsAtOnce, MaxBytes: most}
	}
	return n.cfg.Mesh.Join(mesh.Service{
		Name: Name, Node: n.cfg.Node, Version: n.cfg.Version, Description: "turns notifications into deliveries",
		Figures: func() any { return n.metrics.figures(started) },
		Shared: map[string]mesh.Shared{
			"notify":        shared(n.answerNotify, route.MaxNotification),
			"inbox":         shared(n.answerInbox, mesh.MaxAsked),
			"inbox-state":   shared(n.answerInboxState, mesh.MaxAsked),
			"preferences":   shared(n.answerPreferences, mesh.MaxAsked),
			"notifications": shared(n.answerNotifications, mesh.MaxAsked),
			"notification":  shared(n.answerNotification, mesh.MaxAsked),
		},
	})
}

// answerNotify is the question "notify": the body of POST /v1/notify. Whoever may ask it
// may notify; that is for NATS's permissions to say.
func (n *Notifier) answerNotify(ctx context.Context, body []byte) (any, error) {
	out, _, err := n.notify(ctx, "nats", "", "", body)
	if err != nil {
		return nil, n.metrics.refuse(err)
	}
	return json.RawMessage(out), nil
}

// takePublishes accepts what was published to Space.Notify until ctx ends. Nobody waits
// for an answer, so what is refused is logged and counted.
func (n *Notifier) takePublishes(ctx context.Context) error {
	return n.cfg.Ledger.Requests(ctx, durable, n.takePublish, n.losePublish)
}

func (n *Notifier) takePublish(ctx context.Context, seq uint64, header map[string][]string, body []byte) error {
	q := request{source: "nats", again: true}
	var err error
	if q.documents, q.batch, err = split(body); err != nil {
		return n.refusePublish(seq, err)
	}
	// The ids follow from the message, so that it may be taken twice.
	q.ids = make([]string, len(q.documents))
	for i := range q.ids {
		q.ids[i] = fmt.Sprintf("p-%d-%d", seq, i)
	}
	if id := messageID(header); id != "" && !q.batch {
		q.ids[0] = id
	}
	list, err := n.check(ctx, q)
	if err != nil {
		return n.refusePublish(seq, err)
	}
	ctx, cancel := staying(ctx)
	defer cancel()
	if _, err = n.acceptAll(ctx, q, list); err != nil {
		return n.refusePublish(seq, err)
	}
	return nil
}

// losePublish is told of a message that was tried too often. It stays in the stream, for
// somebody to look at, and is not tried again.
func (n *Notifier) losePublish(_ context.Context, seq uint64, _ map[string][]string, _ []byte, last error) error {
	n.log.Error("a published notification is given up", "seq", seq, "err", last)
	_ = n.metrics.refuse(last)
	return nil
}

// messageID is the id that the publisher gave the message; a long one is hashed.
func messageID(header map[string][]string) string {
	for _, name := range []string{event.HeaderID, "Nats-Msg-Id"} {
		v := header[name]
		if len(v) == 0 || v[0] == "" {
			continue
		}
		if id := "m-" + subject.Escape(v[0]); len(id) <= maxSeries {
			return id
		}
		sum := sha256.Sum256([]byte(v[0]))
		return "m-" + hex.EncodeToString(sum[:16])
	}
	return ""
}

// refusePublish drops a message that will never be right, and returns the error of one
// that may be later.
func (n *Notifier) refusePublish(seq uint64, err error) error {
	if !refused(err) {
		return err
	}
	n.log.Warn("a published notification is refused", "seq", seq, "err", err)
	_ = n.metrics.refuse(err)
	return nil
}

// connected asks the edges who follows a topic. What an edge does not answer is left
// out: it is there for those who are not on file.
func (n *Notifier) connected(ctx context.Context, topic subject.Topic) ([]string, error) {
	type followers struct {
		Users []string `json:"users"`
		More  bool     `json:"more"`
	}
	var out []string
	for after, more := "", true; more && len(out) < deliver.MaxMembers; {
		answers, silent, err := mesh.AskAll[followers](ctx, n.cfg.Mesh, "edge", "topic-users",
			map[string]any{"topic": topic, "limit": mostFollowers, "after": after})
		if err != nil {
			return nil, err
		}
		if len(silent) > 0 {
			n.log.Warn("edges did not say who follows a topic", "topic", topic, "edges", len(silent))
		}
		// Every edge goes on after the same user, so that the slowest one decides.
		more, after = false, ""
		for _, a := range answers {
			out = append(out, a.Value.Users...)
			if users := a.Value.Users; a.Value.More && len(users) > 0 && (!more || users[len(users)-1] < after) {
				more, after = true, users[len(users)-1]
			}
		}
	}
	return out, nil
}
