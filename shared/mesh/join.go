package mesh

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go/micro"

	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// answerTime bounds the work on one question: whoever asks has given up by then.
	answerTime = 5 * time.Second
	// tagLetters is how long a tag is that Join draws, 40 bits.
	tagLetters = 8
	// maxWaiting and maxWaitingBytes bound the requests that wait for one question's
	// turn; those beyond are not answered.
	maxWaiting, maxWaitingBytes = 1000, 4 << 20
)

// token is what a service, a tag and a question are named with: one token of a
// subject that is also a name in NATS's eyes.
var token = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Handler answers a question. body is JSON of at most MaxAsked bytes, empty if there
// was none, and what is returned becomes JSON. An error that is an *Error, or that httpx
// knows how to show, goes to the one who asks; any other is logged and called "internal".
type Handler func(ctx context.Context, body []byte) (any, error)

// Service is what joins the mesh.
type Service struct {
	// Name is what it is, such as "edge"; Node names its process, and Tag this start
	// of it. Name and Tag are letters, digits, '-' and '_'. Join draws an empty Tag.
	Name, Node, Tag string
	// Version is that of the build; see Version.
	Version string
	// Description is a sentence for operators.
	Description string
	// Figures returns what the service counts, as a struct for JSON. It is called often
	// and must not block. Nil means that it counts nothing.
	Figures func() any
	// Questions are what it answers, by name.
	Questions map[string]Handler
	// Shared are what any member of this service answers, by name. No name may be in both.
	Shared map[string]Shared
}

// Membership is a service's place in the mesh. Make one with Join; it must be left.
type Membership struct {
	cancel  context.CancelFunc // of the answers to its own questions
	hurry   context.CancelFunc // of those to shared ones
	service micro.Service
	conn    *natsx.Conn
	space   subject.Space
	info    Service
	log     *slog.Logger

	mu      sync.Mutex
	left    bool
	answers sync.WaitGroup // under way
}

// Join makes a service a member. It works while NATS is away, too: the member appears
// when NATS is back.
func (m *Mesh) Join(s Service) (*Membership, error) {
	if s.Tag == "" {
		s.Tag = rand.Text()[:tagLetters]
	}
	if !token.MatchString(s.Name) || !token.MatchString(s.Tag) {
		return nil, fmt.Errorf("join the mesh: %q and %q: use letters, digits, '_' and '-'", s.Name, s.Tag)
	}
	own, cancel := context.WithCancel(context.Background())
	all, hurry := context.WithCancel(context.Background())
	p := &Membership{cancel: cancel, hurry: hurry, conn: m.conn, space: m.space, info: s, log: m.log}
	var err error
	p.service, err = micro.AddService(m.conn.NC, micro.Config{
		Name: m.space.Prefix() + "-" + s.Name, Version: Version(s.Version), Description: s.Description,
		Metadata: map[string]string{
			metaPrefix: m.space.Prefix(), metaService: s.Name, metaNode: s.Node, metaTag: s.Tag,
		},
		QueueGroupDisabled: true, // a tag has one subscriber
		StatsHandler:       p.figures,
	})
	if err != nil {
		cancel()
		hurry()
		return nil, fmt.Errorf("join the mesh: %w", err)
	}
	if err := errors.Join(p.listen(own), p.share(all)); err != nil {
		return nil, errors.Join(fmt.Errorf("join the mesh: %w", err), p.Leave())
	}
	return p, nil
}

// listen registers the questions.
func (p *Membership) listen(ctx context.Context) error {
	all := map[string]Handler{figuresName: func(context.Context, []byte) (any, error) { return p.count(), nil }}
	for name, h := range p.info.Questions {
		if all[name] != nil || !token.MatchString(name) {
			return fmt.Errorf("question %q: the name cannot be used", name)
		}
		all[name] = h
	}
	for name, h := range all {
		err := p.service.AddEndpoint(name, micro.HandlerFunc(func(r micro.Request) { p.answer(ctx, name, h, r) }),
			micro.WithEndpointSubject(p.space.Service(p.info.Name, p.info.Tag, name)),
			micro.WithEndpointPendingLimits(maxWaiting, maxWaitingBytes))
		if err != nil {
			return fmt.Errorf("question %q: %w", name, err)
		}
	}
	return nil
}

// share registers the shared questions.
func (p *Membership) share(ctx context.Context) error {
	for name, question := range p.info.Shared {
		if name == figuresName || p.info.Questions[name] != nil || !token.MatchString(name) {
			return fmt.Errorf("shared question %q: the name cannot be used", name)
		}
		s, err := newShared(p, name, question)
		if err != nil {
			return err
		}
		err = p.service.AddEndpoint(name, micro.HandlerFunc(func(r micro.Request) { s.take(ctx, r) }),
			micro.WithEndpointSubject(p.space.AnyService(p.info.Name, name)),
			micro.WithEndpointQueueGroup(micro.DefaultQueueGroup),
			micro.WithEndpointPendingLimits(maxPending, maxPendingBytes))
		if err != nil {
			return fmt.Errorf("shared question %q: %w", name, err)
		}
	}
	return nil
}

// Tag returns the tag of this start of the service.
func (p *Membership) Tag() string { return p.info.Tag }

// figures returns the figures once, though NATS asks for each endpoint's.
func (p *Membership) figures(e *micro.Endpoint) any {
	if e.Name != figuresName {
		return nil
	}
	return p.count()
}

func (p *Membership) count() any {
	if p.info.Figures == nil {
		return nil
	}
	return p.info.Figures()
}

// Leave leaves the mesh and waits for the answers under way. Those to the member's own
// questions are told to hurry, and those to shared ones after two seconds.
func (p *Membership) Leave() error {
	p.mu.Lock()
	p.left = true
	p.mu.Unlock()
	p.cancel()
	err := p.service.Stop()
	patience := time.AfterFunc(finishTime, p.hurry)
	p.answers.Wait()
	patience.Stop()
	p.hurry()
	if err != nil {
		return fmt.Errorf("leave the mesh: %w", err)
	}
	return nil
}

// enter counts an answer in, unless the member has left.
func (p *Membership) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return false
	}
	p.answers.Add(1)
	return true
}

// answer answers one request.
func (p *Membership) answer(ctx context.Context, name string, h Handler, r micro.Request) {
	if !p.enter() {
		return
	}
	defer p.answers.Done()
	within, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var err error
	if a := p.replyTo(within, ctx, name, h, r.Data(), MaxAsked); a.refusal == nil {
		err = r.Respond(a.data)
	} else {
		code, detail, header, body := a.refusal.told()
		err = r.Error(code, detail, body, micro.WithHeaders(micro.Headers(header)))
	}
	if err != nil && ctx.Err() == nil {
		p.log.Debug("an answer to the mesh could not be sent", "question", name, "err", err)
	}
}

// reply is what goes back to the one who asks.
type reply struct {
	data    []byte
	refusal *Error // nil for an answer
}

// replyTo works on a request and makes the reply. leaving ends with the membership.
func (p *Membership) replyTo(ctx, leaving context.Context, name string, h Handler, body []byte, most int) reply {
	data, err := work(ctx, h, body, most)
	if err == nil {
		return reply{data: data}
	}
	e, log := refusalOf(leaving, err)
	if log {
		p.log.Warn("a question of the mesh was not answered", "question", name, "err", err)
	}
	return reply{refusal: e}
}

// work runs a handler and encodes what it says.
func work(ctx context.Context, h Handler, body []byte, most int) ([]byte, error) {
	if len(body) > most {
		return nil, &Error{Code: CodeTooLarge, Detail: fmt.Sprintf("a question takes at most %d bytes", most)}
	}
	v, err := h(ctx, body)
	if err != nil {
		return nil, err
	}
	data, err := encode(v)
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	if len(data) > MaxBytes {
		return nil, &Error{Code: CodeTooLarge, Detail: "the answer is too large: ask for less"}
	}
	return data, nil
}
