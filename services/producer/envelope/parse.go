package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tidings/shared/event"
	"tidings/shared/httpx"
	"tidings/shared/subject"
)

// MaxItems bounds the events of one request. They are appended one after the
// other to keep their order, so this bounds how long a request takes: about a
// second on a replicated log.
const MaxItems = 1000

// Media types of a body.
const (
	mediaJSON       = "application/json"
	mediaForm       = "application/x-www-form-urlencoded"
	mediaEvent      = "application/cloudevents+json"
	mediaEventBatch = "application/cloudevents-batch+json"
)

// hintBodies tells what /v1/events takes.
const hintBodies = "Send application/json (one object or an array), application/x-ndjson, application/cloudevents+json, " +
	"application/cloudevents-batch+json, or a CloudEvent in ce-* headers with any body."

// Item is one event ready to be stored.
type Item struct {
	// Event passed event.Check and has a topic.
	Event event.Event
	// Key makes storing the event idempotent; empty when the sender named no id.
	Key string
}

// Batch is the content of one request.
type Batch struct {
	// Items are the events in the sender's order, at most MaxItems.
	Items []Item
	// Single says that the body was one event and not a list, be it a list of one:
	// the answer has the same shape.
	Single bool
}

// Request is what parsing depends on, and nothing more.
type Request struct {
	// Header is the HTTP request's, Query its URL's.
	Header http.Header
	Query  url.Values
	// Body is kept by the events made of it: never write to it afterwards.
	Body []byte
	// Now is what "at" is compared with.
	Now time.Time
}

// Parse reads the events of one request by its Content-Type. The error is a
// *Faults, which lists everything that is wrong with the events, or an
// *httpx.Problem about the body as a whole.
func Parse(r Request) (Batch, error) {
	fallback, err := defaultTopic(r.Query)
	if err != nil {
		return Batch{}, err
	}
	media, err := mediaType(r.Header)
	if err != nil {
		return Batch{}, err
	}
	native := func(raw []byte) (Item, []Fault) { return parseNative(raw, fallback, r.Now) }
	structured := func(raw []byte) (Item, []Fault) { return parseStructured(raw, fallback) }
	switch {
	case media == mediaEvent:
		return parseOne(r.Body, structured)
	case media == mediaEventBatch:
		return parseArray(r.Body, structured)
	case strings.HasPrefix(media, "application/cloudevents"):
		return Batch{}, unsupported("CloudEvents are read in their JSON format only")
	case binaryMode(r.Header):
		return single(parseBinary(r.Header, r.Body, fallback))
	}
	switch media {
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return parseLines(r.Body, native)
	case "", mediaJSON, mediaForm:
		switch first := firstByte(r.Body); {
		case first == '[':
			return parseArray(r.Body, native)
		case first != '{' && media == mediaForm:
			return Batch{}, unsupported("a form is not an event")
		}
		return parseOne(r.Body, native)
	}
	return Batch{}, unsupported(fmt.Sprintf("bodies of type %q are not read here", clip(media)))
}

// parser reads one event; it reports all its faults.
type parser func(raw []byte) (Item, []Fault)

// parseOne reads a body that is one JSON object.
func parseOne(body []byte, one parser) (Batch, error) {
	body, err := jsonBody(body)
	if err != nil {
		return Batch{}, err
	}
	return single(one(body))
}

// single makes a batch of one event, or the error of its faults.
func single(it Item, faults []Fault) (Batch, error) {
	if len(faults) > 0 {
		list := &Faults{Events: 1, Single: true}
		list.add(0, faults...)
		return Batch{}, list
	}
	return Batch{Items: []Item{it}, Single: true}, nil
}

// parseArray reads a body that is a JSON array. An empty one is nothing to do,
// which is no fault.
func parseArray(body []byte, one parser) (Batch, error) {
	body, err := jsonBody(body)
	if err != nil {
		return Batch{}, err
	}
	if body[0] != '[' {
		return Batch{}, httpx.NewProblem(http.StatusBadRequest, codeBadJSON, "The body must be a JSON array.")
	}
	raws, err := elements(body, MaxItems)
	if err != nil { // unreachable: jsonBody checked
		return Batch{}, fmt.Errorf("elements: %w", err)
	}
	return parseList(len(raws), func(i int) (Item, []Fault) { return one(raws[i]) })
}

// parseLines reads newline-delimited JSON. Blank lines are skipped and not counted.
func parseLines(body []byte, one parser) (Batch, error) {
	if fault := utf8Fault(body); fault != "" {
		return Batch{}, httpx.NewProblem(http.StatusBadRequest, codeBadJSON, "The body "+fault+".")
	}
	var lines [][]byte
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		if line = trimJSON(line); len(line) == 0 {
			continue
		}
		if lines = append(lines, line); len(lines) > MaxItems {
			break
		}
	}
	if len(lines) == 0 {
		return Batch{}, emptyBody()
	}
	return parseList(len(lines), func(i int) (Item, []Fault) {
		if fault := jsonFault(lines[i]); fault != "" {
			return Item{}, []Fault{{Code: codeBadJSON, Reason: fault + " of the line"}}
		}
		return one(lines[i])
	})
}

// parseList reads n events and collects the faults of all of them.
func parseList(n int, one func(i int) (Item, []Fault)) (Batch, error) {
	if n > MaxItems {
		return Batch{}, httpx.NewProblem(http.StatusRequestEntityTooLarge, "too_many_events",
			fmt.Sprintf("The request holds over %d events.", MaxItems)).WithHint("Split it; nothing of it was stored.")
	}
	b := Batch{Items: make([]Item, 0, n)}
	faults := &Faults{Events: n}
	for i := range n {
		it, wrong := one(i)
		faults.add(i, wrong...)
		b.Items = append(b.Items, it)
	}
	if len(faults.List) > 0 {
		return Batch{}, faults
	}
	return b, nil
}

// jsonBody checks that the body is one JSON value and returns it without the
// space around it.
func jsonBody(body []byte) ([]byte, error) {
	trimmed := trimJSON(body)
	if len(trimmed) == 0 {
		return nil, emptyBody()
	}
	fault := utf8Fault(body)
	if fault == "" {
		fault = jsonFault(body)
	}
	if fault == "" {
		return trimmed, nil
	}
	p := httpx.NewProblem(http.StatusBadRequest, codeBadJSON, "The body "+fault+".")
	if line, _, found := bytes.Cut(trimmed, []byte("\n")); found && jsonFault(line) == "" {
		p = p.WithHint("Lines of JSON want Content-Type: application/x-ndjson, and curl --data-binary, which keeps the line ends.")
	}
	return nil, p
}

// defaultTopic reads ?topic=, the topic of events that name none.
func defaultTopic(query url.Values) (subject.Topic, error) {
	values, given := query["topic"]
	if !given {
		return "", nil
	}
	if len(values) != 1 {
		return "", httpx.Bad("topic", codeBadTopic, "The query names a topic more than once.")
	}
	topic, err := subject.ParseTopic(values[0])
	if err != nil {
		return "", httpx.Bad("topic", codeBadTopic, "The query's "+err.Error()+".")
	}
	return topic, nil
}

// mediaType returns the lower-case media type without parameters, "" if none is
// given. JSON is UTF-8, so another charset is refused instead of misread.
func mediaType(header http.Header) (string, error) {
	line := header.Get("Content-Type")
	if line == "" {
		return "", nil
	}
	media, params, err := mime.ParseMediaType(line)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", unsupported("the Content-Type cannot be read")
	}
	charset := strings.ToLower(params["charset"])
	if charset != "" && charset != "utf-8" && charset != "us-ascii" && !binaryMode(header) {
		return "", unsupported(fmt.Sprintf("charset %q is not read, only utf-8", clip(charset)))
	}
	return media, nil
}

// topicFault explains a topic that did not parse.
func topicFault(field string, err error) Fault {
	return Fault{Field: field, Code: codeBadTopic, Reason: "is not valid: " + err.Error()}
}

// checked returns the fault of an event that breaks a rule of the event package.
func checked(ev event.Event) []Fault {
	err := ev.Check()
	if err == nil {
		return nil
	}
	wrong, ok := errors.AsType[*event.FieldError](err)
	if !ok {
		return []Fault{{Code: codeBadField, Reason: err.Error()}}
	}
	code := codeBadField
	if wrong.Field == "data" {
		code = codeTooLarge
	}
	return []Fault{{Field: wrong.Field, Code: code, Reason: wrong.Reason}}
}

// trimJSON cuts the white space that JSON allows around a value.
func trimJSON(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

// firstByte returns the first byte that is no JSON white space, 0 if there is none.
func firstByte(body []byte) byte {
	if b := trimJSON(body); len(b) > 0 {
		return b[0]
	}
	return 0
}

// unsupported is the answer to a body of a kind that is not read.
func unsupported(reason string) *httpx.Problem {
	return httpx.NewProblem(http.StatusUnsupportedMediaType, "unsupported_media_type",
		"This body is not an event: "+reason+".").WithHint(hintBodies)
}

// emptyBody is the answer to a request without content.
func emptyBody() *httpx.Problem {
	return httpx.NewProblem(http.StatusBadRequest, httpx.CodeEmptyBody, "The request has no body.").WithHint(hintBodies)
}
