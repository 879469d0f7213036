package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/natsx"
)

const (
	// AskTime is how long a member may take to answer unless ctx ends sooner.
	AskTime = 2 * time.Second
	// atOnce is how many members AskAll asks at a time: the answers are held in memory.
	atOnce = 16
)

// ErrNobody says that the member is not there, or does not answer this question.
var ErrNobody = errors.New("nobody answers")

// Ask asks one member and decodes its answer into a pointer. body becomes JSON; nil is
// no body. Errors are *Error, ErrNobody, natsx.ErrAway for NATS and for a member that
// takes too long, and that of ctx.
func (m *Mesh) Ask(ctx context.Context, service, tag, question string, body, into any) error {
	data, err := encodeAsked(body, MaxAsked)
	if err != nil {
		return err
	}
	return m.ask(ctx, service, tag, question, data, into)
}

// encodeAsked makes the body of a question.
func encodeAsked(body any, most int) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	data, err := encode(body)
	if err != nil {
		return nil, fmt.Errorf("encode a question: %w", err)
	}
	if len(data) > most {
		return nil, &Error{Code: CodeTooLarge, Detail: fmt.Sprintf("a question takes at most %d bytes", most)}
	}
	return data, nil
}

// encode is json.Marshal but for characters of HTML, which stay as they are: a text that
// fits the bounds as it came must fit them as it goes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (m *Mesh) ask(ctx context.Context, service, tag, question string, data []byte, into any) error {
	if !token.MatchString(service) || !token.MatchString(tag) || !token.MatchString(question) {
		return ErrNobody // nobody could be named like that
	}
	within, cancel := context.WithTimeout(ctx, AskTime)
	defer cancel()
	err := m.request(within, m.space.Service(service, tag, question), data, into)
	return m.explain(ctx, err, service, question)
}

// request asks on a subject and decodes the answer.
func (m *Mesh) request(ctx context.Context, subj string, data []byte, into any) error {
	msg, err := m.conn.NC.RequestWithContext(ctx, subj, data)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	if e := refused(msg); e != nil {
		return e
	}
	if err := json.Unmarshal(msg.Data, into); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// explain says what an error of request means to whoever asked. ctx is theirs.
func (m *Mesh) explain(ctx context.Context, err error, service, question string) error {
	if _, told := errors.AsType[*Error](err); err == nil || told {
		return err
	}
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return ErrNobody
	case ctx.Err() != nil:
		return fmt.Errorf("ask %s %s: %w", service, question, ctx.Err())
	}
	return fmt.Errorf("ask %s %s: %w", service, question, natsx.Classify(err))
}

// Answer is what one member says.
type Answer[T any] struct {
	From  Member
	Value T
}

// Silent is a member that did not answer, and why.
type Silent struct {
	Member Member
	Err    error
}

// AskAll asks every member of a service that is there now. It returns the answers in
// the order of the members' nodes, and who did not answer; the error is that of Look,
// or says that the question cannot be asked.
func AskAll[T any](ctx context.Context, m *Mesh, service, question string, body any) ([]Answer[T], []Silent, error) {
	data, err := encodeAsked(body, MaxAsked)
	if err != nil {
		return nil, nil, err
	}
	roster, err := m.Look(ctx)
	if err != nil {
		return nil, nil, err
	}
	answers, silent := askEach[T](ctx, m, roster.Of(service), question, data)
	return answers, silent, nil
}

// AskThose is AskAll for members that somebody has chosen from a Look.
func AskThose[T any](ctx context.Context, m *Mesh, members []Member, question string, body any) ([]Answer[T], []Silent, error) {
	data, err := encodeAsked(body, MaxAsked)
	if err != nil {
		return nil, nil, err
	}
	answers, silent := askEach[T](ctx, m, members, question, data)
	return answers, silent, nil
}

// askEach asks members, a few at a time.
func askEach[T any](ctx context.Context, m *Mesh, members []Member, question string, data []byte) ([]Answer[T], []Silent) {
	values, errs := make([]T, len(members)), make([]error, len(members))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, x := range members {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = m.ask(ctx, x.Service, x.Tag, question, data, &values[i])
		})
	}
	wg.Wait()
	var answers []Answer[T]
	var silent []Silent
	for i, x := range members {
		if errs[i] != nil {
			silent = append(silent, Silent{x, errs[i]})
			continue
		}
		answers = append(answers, Answer[T]{x, values[i]})
	}
	return answers, silent
}

// Of returns the members of one service.
func (r Roster) Of(service string) []Member {
	var list []Member
	for _, x := range r.Members {
		if x.Service == service {
			list = append(list, x)
		}
	}
	return list
}
