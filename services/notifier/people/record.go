package people

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tidings/services/notifier/route"
	"tidings/shared/httpx"
	"tidings/shared/subject"
)

const (
	// MaxTopics bounds the rooms of a person: each is a marker to write and to erase.
	MaxTopics = 200
	// MaxRecord bounds the JSON of a record in bytes: a person, and as many rooms with the
	// longest names.
	MaxRecord = route.MaxPerson + MaxTopics*(subject.MaxLen+len(`"",`)+1)
	// MaxBatch is the most records of one import.
	MaxBatch = 1000
	// MaxBatchBytes bounds the text of an import: as many records as people have in fact,
	// and no more than may be held in memory by everyone who sends one at a time.
	MaxBatchBytes = 4 << 20
	// maxFaults bounds how many faults of an import are told at once. They usually have
	// one cause.
	maxFaults = 20
)

// topicsField is the field of a record that a person does not have.
const topicsField = "topics"

// Record is what is known of a person.
type Record struct {
	route.Person
	// Topics are the rooms that the person is a member of, MaxTopics at most.
	Topics []subject.Topic `json:"topics,omitempty"`
}

// Check reports every fault of r as a *route.FaultsError.
func (r Record) Check() error {
	var f faults
	f.take("", r.Person.Check())
	f.topics(r.Topics)
	return f.err("person")
}

// ParseRecord reads the JSON of a record, strictly: that of a person with "topics". user
// is the id when it stands elsewhere, such as in a path; the document may leave it out or
// must repeat it. Errors are *route.FaultsError or *httpx.Problem.
func ParseRecord(data []byte, user string) (Record, error) {
	if len(data) > MaxRecord {
		return Record{}, httpx.NewProblem(http.StatusRequestEntityTooLarge, route.CodeTooLong, "The document is over "+strconv.Itoa(MaxRecord)+" bytes.")
	}
	var fields map[string]json.RawMessage
	if err := httpx.DecodeJSON(bytes.NewReader(data), &fields); err != nil {
		return Record{}, err
	}
	if fields == nil {
		return Record{}, httpx.NewProblem(http.StatusBadRequest, httpx.CodeBadField, "A person must be an object.")
	}
	var r Record
	if topics, ok := fields[topicsField]; ok {
		if err := httpx.DecodeJSON(bytes.NewReader(topics), &r.Topics); err != nil {
			return Record{}, httpx.Bad(topicsField, httpx.CodeBadField, `The field "topics" must be an array of strings.`).WithCause(err)
		}
		delete(fields, topicsField)
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return Record{}, fmt.Errorf("marshal a person: %w", err)
	}
	var f faults
	r.Person, err = route.ParsePerson(rest, user)
	if err != nil {
		if _, ok := errors.AsType[*route.FaultsError](err); !ok {
			return Record{}, err
		}
		f.take("", err)
	}
	f.topics(r.Topics)
	if err := f.err("person"); err != nil {
		return Record{}, err
	}
	return r, nil
}

// ParseRecords reads the records of an import: a JSON array, or one object a line. One
// fault refuses them all; each is named with the entry it is in, such as "[3].email".
// Errors are *route.FaultsError or *httpx.Problem.
func ParseRecords(data []byte) ([]Record, error) {
	if len(data) > MaxBatchBytes {
		return nil, httpx.NewProblem(http.StatusRequestEntityTooLarge, httpx.CodeBodyTooLarge, "An import takes at most "+strconv.Itoa(MaxBatchBytes)+" bytes.").
			WithHint("Send less at once.")
	}
	docs, err := split(data)
	if err != nil {
		return nil, err
	}
	list := make([]Record, 0, len(docs))
	seen := make(map[string]int, len(docs))
	var f faults
	for i, doc := range docs {
		entry := "[" + strconv.Itoa(i) + "]"
		r, err := ParseRecord(doc, "")
		if err != nil {
			f.take(entry, err)
			continue
		}
		if first, twice := seen[r.User]; twice {
			f.add(entry+".user", route.CodeDuplicate, "is the same as in [%d]", first)
			continue
		}
		seen[r.User] = i
		list = append(list, r)
	}
	if err := f.err("import"); err != nil {
		return nil, err
	}
	return list, nil
}

// split finds the documents of an import.
func split(data []byte) ([][]byte, error) {
	switch data = bytes.TrimSpace(data); {
	case len(data) == 0:
		return nil, httpx.NewProblem(http.StatusBadRequest, httpx.CodeEmptyBody, "People are needed and there are none.")
	case data[0] == '[':
		return splitArray(data)
	case json.Valid(data):
		return [][]byte{data}, nil // one, on however many lines
	}
	var docs [][]byte
	for doc := range bytes.SplitSeq(data, []byte("\n")) {
		if doc = bytes.TrimSpace(doc); len(doc) == 0 {
			continue
		}
		if len(docs) == MaxBatch {
			return nil, tooMany()
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// splitArray finds the elements of an array. It stops at one too many, since a body can
// hold millions.
func splitArray(data []byte) ([][]byte, error) {
	broken := func(i int, cause error) error {
		return httpx.Bad("["+strconv.Itoa(i)+"]", httpx.CodeBadJSON, "The JSON is broken at or after the entry "+strconv.Itoa(i)+", counted from 0.").WithCause(cause)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return nil, broken(0, err)
	}
	var docs [][]byte
	for d.More() {
		if len(docs) == MaxBatch {
			return nil, tooMany()
		}
		var doc json.RawMessage
		if err := d.Decode(&doc); err != nil {
			return nil, broken(len(docs), err)
		}
		docs = append(docs, doc)
	}
	if _, err := d.Token(); err != nil {
		return nil, broken(len(docs), err)
	}
	if rest := bytes.TrimSpace(data[d.InputOffset():]); len(rest) > 0 {
		return nil, broken(len(docs), errors.New("it goes on after its end"))
	}
	return docs, nil
}

func tooMany() error {
	return httpx.NewProblem(http.StatusBadRequest, route.CodeTooMany, "An import takes at most "+strconv.Itoa(MaxBatch)+" people.").
		WithHint("Send them in several requests.")
}

// faults collects what is wrong with a record, or with many.
type faults struct {
	list    []route.Fault
	omitted int
}

// add notes a fault; detail is a format.
func (f *faults) add(param, code, detail string, args ...any) {
	if len(f.list) == maxFaults {
		f.omitted++
		return
	}
	f.list = append(f.list, route.Fault{Param: param, Code: code, Detail: fmt.Sprintf(detail, args...)})
}

// take notes the faults in the error of a parser, below an entry if it is not "".
func (f *faults) take(entry string, err error) {
	if err == nil {
		return
	}
	below := func(param string) string {
		if entry == "" || param == "" {
			return entry + param
		}
		return entry + "." + param
	}
	if e, ok := errors.AsType[*route.FaultsError](err); ok {
		for _, x := range e.Faults {
			f.add(below(x.Param), x.Code, "%s", x.Detail)
		}
		f.omitted += e.Omitted
		return
	}
	p, ok := errors.AsType[*httpx.Problem](err)
	switch {
	case !ok:
		f.add(entry, httpx.CodeBadField, "cannot be read")
	case p.Code == httpx.CodeUnknownField:
		f.add(below(p.Param), p.Code, "is no field")
	default:
		f.add(below(p.Param), p.Code, "cannot be read: %s", strings.TrimSuffix(p.Detail, "."))
	}
}

// topics checks the rooms of a person.
func (f *faults) topics(list []subject.Topic) {
	if len(list) > MaxTopics {
		f.add(topicsField, route.CodeTooMany, "has over %d entries", MaxTopics)
		return
	}
	for i, topic := range list {
		param := topicsField + "[" + strconv.Itoa(i) + "]"
		if _, err := subject.ParseTopic(string(topic)); err != nil || !strings.HasPrefix(string(topic), "room.") {
			f.add(param, route.CodeBadValue, "is not a room like room.ops")
		} else if slices.Contains(list[:i], topic) {
			f.add(param, route.CodeDuplicate, "is there twice")
		}
	}
}

// err returns what was collected, or nil.
func (f *faults) err(what string) error {
	if len(f.list) == 0 {
		return nil
	}
	return &route.FaultsError{What: what, Faults: f.list, Omitted: f.omitted}
}
