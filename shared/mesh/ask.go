package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tidings/shared/natsx"
)

const (
	// AskTime is how long a member may take to answer unless ctx ends sooner.
	AskTime = 2 * time.Second
	// atOnce is how many members AskAll asks at a time: the answers are held in memory.
	atOnce = 16
)

// Codes of an Error, those of HTTP.
const (
	// CodeBad: the question is malformed.
	CodeBad = 400
	// CodeUnknown: what it is about is not there.
	CodeUnknown = 404
	// CodeTooLarge: the question or its answer is over the bounds.
	CodeTooLarge = 413
	// CodeInternal: the member failed; its log says why.
	CodeInternal = 500
)

// ErrNobody says that the member is not there, or does not answer this question.
var ErrNobody = errors.New("nobody answers")

// Error is a member's refusal to answer.
type Error struct {
	// Code is one of the Code constants.
	Code int
	// Detail is half a sentence for the one who asks.
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return strconv.Itoa(e.Code) + ": " + e.Detail }

// Ask asks one member and decodes its answer into a pointer. body becomes JSON; nil is
// no body. Errors are *Error, ErrNobody, natsx.ErrAway for NATS and for a member that
// takes too long, and that of ctx.
func (m *Mesh) Ask(ctx context.Context, service, tag, question string, body, into any) error {
	data, err := encode(body)
	if err != nil {
		return err
	}
	return m.ask(ctx, service, tag, question, data, into)
}

func encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode a question: %w", err)
	}
	if len(data) > MaxAsked {
		return nil, &Error{Code: CodeTooLarge, Detail: fmt.Sprintf("a question takes at most %d bytes", MaxAsked)}
	}
	return data, nil
}

func (m *Mesh) ask(ctx context.Context, service, tag, question string, data []byte, into any) error {
	if !token.MatchString(service) || !token.MatchString(tag) || !token.MatchString(question) {
		return ErrNobody // nobody could be named like that
	}
	within, cancel := context.WithTimeout(ctx, AskTime)
	defer cancel()
	msg, err := m.conn.NC.RequestWithContext(within, m.space.Service(service, tag, question), data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return ErrNobody
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("ask %s %s: %w", service, question, ctx.Err())
	case err != nil:
		return fmt.Errorf("ask %s %s: %w", service, question, natsx.Classify(err))
	}
	if code := msg.Header.Get(micro.ErrorCodeHeader); code != "" {
		n, err := strconv.Atoi(code)
		if err != nil {
			n = CodeInternal
		}
		return &Error{Code: n, Detail: msg.Header.Get(micro.ErrorHeader)}
	}
	if err := json.Unmarshal(msg.Data, into); err != nil {
		return fmt.Errorf("decode the answer to %s: %w", question, err)
	}
	return nil
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
	data, err := encode(body)
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
	data, err := encode(body)
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
