package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tidings/shared/httpx"
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

const (
	// maxDetail bounds the header that tells a refusal in words, in bytes. The body has
	// all of it.
	maxDetail = 256
	// comeBack is when to ask again a member that is full or leaves: another one may
	// answer at once, and a burst is over by then.
	comeBack = time.Second
	// maxComeBack bounds what a member may say about that; what is longer is a mistake.
	maxComeBack = 24 * time.Hour
)

// Headers of a refusal whose body is a problem.
const (
	headerType  = "Content-Type"
	typeProblem = "application/problem+json"
	headerRetry = "Retry-After" // in seconds, as in HTTP
)

// Error is a member's refusal to answer.
type Error struct {
	// Code is one of the Code constants, or the status of the problem.
	Code int
	// Detail is half a sentence for the one who asks, or that of the problem.
	Detail string

	problem *httpx.Problem
}

// Error implements error.
func (e *Error) Error() string { return strconv.Itoa(e.Code) + ": " + e.Detail }

// Problem implements httpx.Problemer: what the member would have shown to a caller of
// its own, nil if it said no more than Code and Detail.
func (e *Error) Problem() *httpx.Problem { return e.problem }

// refusalOf says how the error of a handler is told, and whether it has to be logged
// here: where it is the asker's own fault it need not. leaving is the context that ends
// with the membership.
func refusalOf(leaving context.Context, err error) (e *Error, log bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, false
	}
	if leaving.Err() != nil && errors.Is(err, context.Canceled) {
		return shuttingDown(), false
	}
	p := httpx.ProblemOf(err, nil)
	return refusal(p), p.Status >= http.StatusInternalServerError
}

func refusal(p *httpx.Problem) *Error { return &Error{Code: p.Status, Detail: p.Detail, problem: p} }

func shuttingDown() *Error {
	return refusal(httpx.NewProblem(http.StatusServiceUnavailable, httpx.CodeShuttingDown, "The service is shutting down.").
		WithHint("Try again; another one will answer.").WithRetryAfter(comeBack))
}

func overloaded() *Error {
	return refusal(httpx.NewProblem(http.StatusServiceUnavailable, httpx.CodeOverloaded, "Too many such questions are being answered at once.").
		WithHint("Nothing was done. Try again a little later.").WithRetryAfter(comeBack))
}

// told is the refusal on the wire, without the headers that micro has names for.
func (e *Error) told() (code, detail string, header nats.Header, body []byte) {
	code, detail = strconv.Itoa(e.Code), line(e.Detail)
	if e.problem == nil {
		return code, detail, nil, nil
	}
	body, err := e.problem.MarshalJSON()
	if err != nil { // unreachable: strings and a number always encode
		return code, detail, nil, nil
	}
	header = nats.Header{headerType: {typeProblem}}
	if d := e.problem.RetryAfter; d > 0 {
		header.Set(headerRetry, strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
	}
	return code, detail, header, body
}

// line makes a text fit for a header.
func line(s string) string {
	if s = strings.Join(strings.Fields(s), " "); s == "" {
		return "refused"
	}
	if len(s) <= maxDetail {
		return s
	}
	n := maxDetail
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// refused reads the refusal in an answer, nil if it is none.
func refused(m *nats.Msg) *Error {
	code := m.Header.Get(micro.ErrorCodeHeader)
	if code == "" {
		return nil
	}
	e := &Error{Code: CodeInternal, Detail: m.Header.Get(micro.ErrorHeader)}
	if n, err := strconv.Atoi(code); err == nil {
		e.Code = n
	}
	var p httpx.Problem
	if m.Header.Get(headerType) != typeProblem || json.Unmarshal(m.Data, &p) != nil || p.Code == "" || p.Status < 400 || p.Status > 599 {
		return e
	}
	if s, err := strconv.Atoi(m.Header.Get(headerRetry)); err == nil && s > 0 && s <= int(maxComeBack/time.Second) {
		p.RetryAfter = time.Duration(s) * time.Second
	}
	e.Code, e.Detail, e.problem = p.Status, p.Detail, &p
	return e
}
