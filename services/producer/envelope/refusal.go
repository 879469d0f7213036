package envelope

import (
	"fmt"
	"net/http"
	"strings"

	"tidings/shared/httpx"
)

// Codes of faults. They are part of the API: clients branch on them.
const (
	codeBadJSON        = httpx.CodeBadJSON
	codeBadField       = httpx.CodeBadField
	codeUnknownField   = httpx.CodeUnknownField
	codeBadTopic       = "bad_topic"
	codeMissingField   = "missing_field"
	codeDuplicateField = "duplicate_field"
	codeTooLarge       = "too_large"
	codeAtUnsupported  = "at_unsupported"
	// codeInvalid is the answer's code when its faults have different ones.
	codeInvalid = "invalid_events"
)

const (
	// MaxFaults bounds the faults one answer lists; a sender whose every item is
	// wrong learns as much from a hundred of them. The rest are counted.
	MaxFaults = 100
	// maxTold bounds the faults told in the answer's sentence, which people read.
	maxTold = 10
	// maxMembers bounds the members of one object: an event has eight, a CloudEvent
	// some extensions more. It keeps an object of nothing but names cheap.
	maxMembers = 64
	// maxQuote bounds, in bytes, a sender's text repeated in an answer.
	maxQuote = 64
)

// Fault is one reason for which a request was refused.
type Fault struct {
	// Index is the place of the event in its request, from 0.
	Index int `json:"index"`
	// Field is the JSON name or the HTTP header of what is wrong, empty for the
	// event as a whole.
	Field string `json:"field,omitempty"`
	// Code is stable, for programs.
	Code string `json:"code"`
	// Reason is a clause that completes "<field> …", for people.
	Reason string `json:"reason"`
}

// String returns "<field> <reason>".
func (f Fault) String() string {
	if f.Field == "" {
		return f.Reason
	}
	return f.Field + " " + f.Reason
}

// status returns the HTTP status that belongs to the fault's code.
func (f Fault) status() int {
	switch f.Code {
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeAtUnsupported:
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadRequest
}

// Faults are all that is wrong with one request. It is an error.
type Faults struct {
	// List holds at most 100 faults, in the order of the events.
	List []Fault
	// More counts the faults that List had no room for.
	More int
	// Events is how many events the request held, as far as it was read.
	Events int
	// Single says that the request was one event, so that an index tells nothing.
	Single bool
}

// add appends faults of the event at index.
func (f *Faults) add(index int, faults ...Fault) {
	for _, one := range faults {
		if len(f.List) == MaxFaults {
			f.More++
			continue
		}
		one.Index = index
		f.List = append(f.List, one)
	}
}

// Error tells the first faults with their index and field, and how many there are.
func (f *Faults) Error() string {
	told := f.List[:min(len(f.List), maxTold)]
	parts := make([]string, 0, len(told)+1)
	for _, one := range told {
		if f.Single {
			parts = append(parts, one.String())
		} else {
			parts = append(parts, fmt.Sprintf("event %d: %s", one.Index, one))
		}
	}
	if more := len(f.List) - len(told) + f.More; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// Problem implements httpx.Problemer.
// Its code is the faults' own when they share one; the param names the first.
func (f *Faults) Problem() *httpx.Problem {
	first := f.List[0]
	status, code := first.status(), first.Code
	for _, one := range f.List {
		if one.Code != code {
			status, code = http.StatusBadRequest, codeInvalid
			break
		}
	}
	param := first.Field
	if !f.Single {
		param = strings.TrimSuffix(fmt.Sprintf("[%d].%s", first.Index, first.Field), ".")
	}
	p := httpx.NewProblem(status, code, f.Error()).WithParam(param).WithFaults(f.List, f.More)
	switch code {
	case codeUnknownField:
		p = p.WithHint("An event has the fields topic or user, type, data, id, source, time and at; everything of your own belongs into data.")
	case codeAtUnsupported:
		p = p.WithHint("Leave at out to publish now, or send the event when it is due.")
	}
	return p
}
