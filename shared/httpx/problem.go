package httpx

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// problemType is the prefix of a problem's type, a URI as RFC 9457 wants it. It
// is a name and not an address, since every installation has another one.
const problemType = "urn:tidings:problem:"

// StatusClientGone is the status recorded for a request whose client left before
// the answer. Nobody receives it; nginx made the number common.
const StatusClientGone = 499

// Codes of the problems that this package makes itself, beside those of package
// auth. They are part of the HTTP API and never change.
const (
	// CodeInternal: something here is broken; the request id leads to the log.
	CodeInternal = "internal"
	// CodeNotFound: there is no such path.
	CodeNotFound = "not_found"
	// CodeMethodNotAllowed: the path takes other methods; Allow names them.
	CodeMethodNotAllowed = "method_not_allowed"
	// CodeBodyTooLarge: the body is over the limit.
	CodeBodyTooLarge = "body_too_large"
	// CodeBodyTimeout: the body did not arrive in time.
	CodeBodyTimeout = "body_timeout"
	// CodeBodyUnreadable: the body broke off.
	CodeBodyUnreadable = "body_unreadable"
	// CodeEmptyBody: a body is needed and there is none.
	CodeEmptyBody = "empty_body"
	// CodeBadJSON: the body is not the one JSON value it should be.
	CodeBadJSON = "bad_json"
	// CodeBadField: a field has the wrong type or form; "param" names it.
	CodeBadField = "bad_field"
	// CodeUnknownField: there is no such field; "param" names it.
	CodeUnknownField = "unknown_field"
	// CodeBadPath: a part of the path is not UTF-8 or badly escaped; "param" names it.
	CodeBadPath = "bad_path"
	// CodeTimeout: something behind this server took too long.
	CodeTimeout = "timeout"
	// CodeShuttingDown: this server is stopping; another one will answer.
	CodeShuttingDown = "shutting_down"
	// CodeOverloaded: every place of this server is taken.
	CodeOverloaded = "overloaded"
	// CodeClientGone: the client left; it is only ever logged.
	CodeClientGone = "client_gone"
	// CodeOriginNotAllowed: a page of this origin may not use the API.
	CodeOriginNotAllowed = "origin_not_allowed"
)

// Problem is an error meant for the caller: a status, a stable code and sentences.
// It is immutable; the With methods return changed copies.
type Problem struct {
	// Status is the HTTP status, 400 to 599.
	Status int
	// Code names the kind of problem for programs; it never changes.
	Code string
	// Detail is a sentence about this occurrence.
	Detail string
	// Hint is a sentence about what to do; may be "".
	Hint string
	// Param names the part of the request that is wrong: a parameter, a header or
	// the path of a JSON field; may be "".
	Param string
	// Faults is a list of everything that is wrong, as JSON, where there is more to say
	// than one Param; MoreFaults counts those that it leaves out. May be nil.
	Faults     any
	MoreFaults int
	// Err is the cause. It is logged and never shown.
	Err error
	// RetryAfter says when to try again; 0 says nothing. It is sent in seconds,
	// rounded up.
	RetryAfter time.Duration
}

// Problemer is an error that knows how to show itself. Packages whose errors are
// no Problems implement it and need not know anything else of HTTP.
type Problemer interface {
	error
	// Problem returns what to show. Nil means that the error has nothing to say.
	Problem() *Problem
}

// NewProblem returns a problem. detail is a full sentence for the caller.
func NewProblem(status int, code, detail string) *Problem {
	return &Problem{Status: status, Code: code, Detail: detail}
}

// Bad returns a problem with status 400 about one part of the request.
func Bad(param, code, detail string) *Problem {
	return &Problem{Status: http.StatusBadRequest, Code: code, Detail: detail, Param: param}
}

// Error is the problem for logs, with its cause.
func (p *Problem) Error() string {
	s := p.Code + ": " + p.Detail
	if p.Param != "" {
		s = p.Code + " (" + p.Param + "): " + p.Detail
	}
	if p.Err != nil {
		s += ": " + p.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// WithHint returns a copy that says what to do.
func (p *Problem) WithHint(s string) *Problem {
	q := *p
	q.Hint = s
	return &q
}

// WithParam returns a copy that names the part that is wrong.
func (p *Problem) WithParam(name string) *Problem {
	q := *p
	q.Param = name
	return &q
}

// WithFaults returns a copy that lists all that is wrong.
func (p *Problem) WithFaults(list any, more int) *Problem {
	q := *p
	q.Faults, q.MoreFaults = list, more
	return &q
}

// WithCause returns a copy that carries err to the log.
func (p *Problem) WithCause(err error) *Problem {
	q := *p
	q.Err = err
	return &q
}

// WithRetryAfter returns a copy that says when to try again.
func (p *Problem) WithRetryAfter(d time.Duration) *Problem {
	q := *p
	q.RetryAfter = d
	return &q
}

// document is a Problem on the wire.
type document struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Hint      string `json:"hint,omitempty"`
	Param     string `json:"param,omitempty"`
	Faults    any    `json:"faults,omitempty"`
	More      int    `json:"more_faults,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// MarshalJSON writes what a caller may see, for places where a problem is a part
// of something else, such as the answer to a WebSocket command.
func (p *Problem) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(p.document(""))
	if err != nil {
		return nil, fmt.Errorf("marshal problem: %w", err)
	}
	return data, nil
}

// UnmarshalJSON reads what MarshalJSON wrote, for a problem that another node of ours
// has found. The cause stays there.
func (p *Problem) UnmarshalJSON(data []byte) error {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("unmarshal problem: %w", err)
	}
	*p = Problem{Status: d.Status, Code: d.Code, Detail: d.Detail, Hint: d.Hint, Param: d.Param, Faults: d.Faults, MoreFaults: d.More}
	return nil
}

// setHeaders sets what every answer with p says beside its body of size bytes.
func (p *Problem) setHeaders(h http.Header, size int) {
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(size))
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.RetryAfter+time.Second-1)/time.Second), 10))
	}
}

func (p *Problem) document(requestID string) document {
	title := http.StatusText(p.Status)
	if title == "" {
		title = "Error"
	}
	return document{
		Type: problemType + p.Code, Title: title, Status: p.Status, Code: p.Code,
		Detail: p.Detail, Hint: p.Hint, Param: p.Param, Faults: p.Faults, More: p.MoreFaults, RequestID: requestID,
	}
}
