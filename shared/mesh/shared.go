package mesh

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

const (
	// MaxShared bounds the body of a shared question in bytes: half of what NATS carries
	// in its default configuration.
	MaxShared = 512 << 10
	// SharedTime is how long the work on a shared question may take, and how long AskAny
	// waits unless its context has a deadline: long enough to outlast the election of a
	// leader of a stream.
	SharedTime = 10 * time.Second
	// DefaultConcurrent is how many requests of a shared question a member works on at a
	// time. They mostly wait for NATS.
	DefaultConcurrent = 32
	// maxConcurrent only catches a mistake: each request is held in memory.
	maxConcurrent = 1024
	// queueTime is how long a request waits for its turn: a burst is over by then, and
	// whoever asks still hears that there was none.
	queueTime = time.Second
	// maxPending and maxPendingBytes bound the requests that have come and were not looked
	// at yet, which takes microseconds.
	maxPending, maxPendingBytes = 10000, 16 << 20
	// finishTime is how long Leave lets the work on shared questions go on before its
	// context ends. Most is done by then, and nobody else would do it.
	finishTime = 2 * time.Second
)

// Shared is a question that any member of a service answers: whichever NATS picks, of
// those that are there.
type Shared struct {
	// Handler answers it. Its context ends after SharedTime.
	Handler Handler
	// Concurrent is how many requests this member works on at the same time, 0 for
	// DefaultConcurrent. As many again wait for their turn, for a second at most. All
	// others are refused with the problem "overloaded".
	Concurrent int
	// MaxBytes bounds the body in bytes, 0 for MaxAsked; MaxShared at most.
	MaxBytes int
}

// AskAny asks whichever member of a service is picked, and decodes its answer into a
// pointer. body becomes JSON of MaxShared bytes at most; nil is no body. It waits until
// ctx ends, or for SharedTime if ctx has no deadline. Errors are *Error, which shows a
// caller of HTTP what the member would have shown, ErrNobody if no member is there,
// natsx.ErrAway for NATS and for a member that takes too long, and that of ctx.
func (m *Mesh) AskAny(ctx context.Context, service, question string, body, into any) error {
	data, err := encodeAsked(body, MaxShared)
	if err != nil {
		return err
	}
	if !token.MatchString(service) || !token.MatchString(question) {
		return ErrNobody // nobody could be named like that
	}
	within := ctx
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, SharedTime)
		defer cancel()
	}
	err = m.request(within, m.space.AnyService(service, question), data, into)
	return m.explain(ctx, err, service, question)
}

// shared is one shared question of a member.
type shared struct {
	member *Membership
	name   string
	Shared

	places chan struct{} // held by a request from its arrival to its answer
	slots  chan struct{} // held by one that is worked on
}

// newShared checks a shared question and fills in what is left out.
func newShared(p *Membership, name string, s Shared) (*shared, error) {
	if s.Concurrent == 0 {
		s.Concurrent = DefaultConcurrent
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = MaxAsked
	}
	if s.Handler == nil || s.Concurrent < 0 || s.Concurrent > maxConcurrent || s.MaxBytes < 0 || s.MaxBytes > MaxShared {
		return nil, fmt.Errorf("shared question %q: it needs a handler, at most %d requests at a time of at most %d bytes", name, maxConcurrent, MaxShared)
	}
	return &shared{
		member: p, name: name, Shared: s,
		places: make(chan struct{}, 2*s.Concurrent), slots: make(chan struct{}, s.Concurrent),
	}, nil
}

// take begins the work on one request, or refuses it. It never blocks, since the others
// come in the same goroutine.
func (s *shared) take(ctx context.Context, r micro.Request) {
	if !s.member.enter() {
		s.send(r.Reply(), reply{refusal: shuttingDown()})
		return
	}
	select {
	case s.places <- struct{}{}:
	default:
		s.send(r.Reply(), reply{refusal: overloaded()})
		s.member.answers.Done()
		return
	}
	// The request itself stays here: micro looks at it when this function returns.
	to, body := r.Reply(), r.Data()
	go func() {
		defer s.member.answers.Done()
		defer func() { <-s.places }()
		s.send(to, s.serve(ctx, body))
	}()
}

// serve waits for the request's turn and works on it.
func (s *shared) serve(ctx context.Context, body []byte) reply {
	turn := time.NewTimer(queueTime)
	defer turn.Stop()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-turn.C:
		return reply{refusal: overloaded()}
	case <-ctx.Done():
		return reply{refusal: shuttingDown()}
	}
	within, cancel := context.WithTimeout(ctx, SharedTime)
	defer cancel()
	return s.member.replyTo(within, ctx, s.name, s.Handler, body, s.MaxBytes)
}

// send sends an answer; to is empty if nobody waits for it.
func (s *shared) send(to string, r reply) {
	if to == "" {
		return
	}
	m := &nats.Msg{Subject: to, Data: r.data}
	if r.refusal != nil {
		code, detail, header, body := r.refusal.told()
		if header == nil {
			header = nats.Header{}
		}
		header[micro.ErrorCodeHeader], header[micro.ErrorHeader] = []string{code}, []string{detail}
		m.Header, m.Data = header, body
	}
	if err := s.member.conn.NC.PublishMsg(m); err != nil {
		s.member.log.Debug("an answer to the mesh could not be sent", "question", s.name, "err", err)
	}
}
