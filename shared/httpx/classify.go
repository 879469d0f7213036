package httpx

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/auth"
)

const (
	// keysRetry is when a caller should come back while the keys of tokens cannot be
	// fetched; the verifier tries again every few seconds.
	keysRetry = 5 * time.Second
	// timeoutRetry is when a caller should come back after something behind us was
	// too slow: long enough for a NATS leader to be elected.
	timeoutRetry = 2 * time.Second
)

// errShutdown is the cause of the end of a request's context when the server's
// grace is over. It tells a server that stops from a client that left.
var errShutdown = errors.New("the server is shutting down")

// ProblemOf says how err is shown to a caller. It is never nil. It looks in the
// chain of err for a *Problem, an *auth.Error, a Problemer, Echo's errors, and what
// reading a body can end in; then it asks classify, which may be nil and may answer
// nil; then it knows the ends of contexts; anything left is "internal", with err as
// the cause for the log.
func ProblemOf(err error, classify func(error) *Problem) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok && p != nil {
		return sound(p, err)
	}
	if e, ok := errors.AsType[*auth.Error](err); ok && e != nil {
		return authProblem(e, err)
	}
	if e, ok := errors.AsType[Problemer](err); ok {
		if p := e.Problem(); p != nil {
			return sound(p, err)
		}
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bodyTooLarge(e.Limit).WithCause(err)
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok && e != nil && e.Code >= 400 && e.Code <= 599 {
		return echoProblem(e, err)
	}
	if classify != nil {
		if p := classify(err); p != nil {
			return sound(p, err)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Problem{
			Status: http.StatusGatewayTimeout, Code: CodeTimeout, Detail: "Something behind this server took too long to answer.",
			Hint: "Try again a little later.", RetryAfter: timeoutRetry, Err: err,
		}
	}
	return internal(err)
}

// sound keeps a problem that cannot be sent, such as one with status 0, from
// breaking the answer, and makes sure that the whole chain reaches the log.
func sound(p *Problem, err error) *Problem {
	if p.Status < 400 || p.Status > 599 || p.Code == "" {
		return internal(err)
	}
	if _, same := err.(*Problem); p.Err == nil && !same {
		return p.WithCause(err)
	}
	return p
}

// internal is what a caller learns of an error that nobody classified.
func internal(err error) *Problem {
	return &Problem{
		Status: http.StatusInternalServerError, Code: CodeInternal, Detail: "Something went wrong on this server.",
		Hint: "Report the request id if it happens again.", Err: err,
	}
}

// bodyTooLarge is the answer to a body over limit bytes.
func bodyTooLarge(limit int64) *Problem {
	return NewProblem(http.StatusRequestEntityTooLarge, CodeBodyTooLarge,
		"The body is over "+strconv.FormatInt(limit, 10)+" bytes.").WithHint("Send less at once.")
}

// authProblem gives package auth's codes their status: 401 asks for another
// credential, 403 says that the credential is not the matter, 503 that nobody
// knows now.
func authProblem(e *auth.Error, err error) *Problem {
	p := &Problem{Status: http.StatusUnauthorized, Code: e.Code, Detail: sentence(e.Reason), Err: err}
	switch e.Code {
	case auth.CodeOriginRefused:
		p.Status = http.StatusForbidden
	case auth.CodeKeysUnavailable:
		p.Status, p.RetryAfter = http.StatusServiceUnavailable, keysRetry
	case "":
		return internal(err)
	}
	return p
}

// sentence gives a reason the capital and the full stop of a sentence.
func sentence(s string) string {
	if s == "" {
		return "The credential was refused."
	}
	if s[0] >= 'a' && s[0] <= 'z' {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}

// echoProblem translates Echo's own errors. Their messages are not shown: they
// may carry names of our types, and for a caller the status says it all.
func echoProblem(e *echo.HTTPError, err error) *Problem {
	p := &Problem{Status: e.Code, Err: err}
	switch e.Code {
	case http.StatusNotFound:
		p.Code, p.Detail, p.Err = CodeNotFound, "There is nothing at this path.", nil
	case http.StatusMethodNotAllowed:
		p.Code, p.Detail, p.Err = CodeMethodNotAllowed, "This path does not take this method.", nil
		p.Hint = "The Allow header names the methods it takes."
	case http.StatusRequestEntityTooLarge:
		p.Code, p.Detail = CodeBodyTooLarge, "The body is too large."
	case http.StatusUnauthorized:
		p.Code, p.Detail = "unauthorized", "A credential is needed."
	case http.StatusForbidden:
		p.Code, p.Detail = "forbidden", "This is not allowed."
	case http.StatusUnsupportedMediaType:
		p.Code, p.Detail = "unsupported_media_type", "The body's Content-Type is not understood."
	case http.StatusTooManyRequests:
		p.Code, p.Detail = "too_many_requests", "Too many requests were sent."
	case http.StatusServiceUnavailable:
		p.Code, p.Detail = "unavailable", "This cannot be answered now."
	default:
		if e.Code >= 500 {
			p.Code, p.Detail = CodeInternal, "Something went wrong on this server."
		} else {
			p.Code, p.Detail = "bad_request", "The request is not acceptable."
		}
	}
	return p
}

// ended explains err by the end of the request's own context: the server stops,
// or the client has left. It returns nil when the context is not the reason.
func ended(ctx context.Context, err error) *Problem {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, errShutdown) {
		return nil
	}
	if errors.Is(context.Cause(ctx), errShutdown) {
		return &Problem{
			Status: http.StatusServiceUnavailable, Code: CodeShuttingDown, Detail: "This server is shutting down.",
			Hint: "Try again; another server will answer.", RetryAfter: time.Second, Err: err,
		}
	}
	return &Problem{Status: StatusClientGone, Code: CodeClientGone, Detail: "The client has left.", Err: err}
}

// readProblem explains why a body could not be read to its end.
func readProblem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bodyTooLarge(e.Limit).WithCause(err)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return NewProblem(http.StatusRequestTimeout, CodeBodyTimeout, "The body did not arrive in time.").WithCause(err)
	}
	return NewProblem(http.StatusBadRequest, CodeBodyUnreadable, "The body broke off.").WithCause(err)
}
