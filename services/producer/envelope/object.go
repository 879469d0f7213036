package envelope

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// member is one name and value of a JSON object, the value as the sender wrote it.
type member struct {
	name  string
	value json.RawMessage
}

// members lists the members of one valid JSON object in the sender's order. It
// refuses what encoding/json lets pass: a name given twice, of which readers
// would each take another.
func members(raw []byte) ([]member, *Fault) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, &Fault{Code: codeBadJSON, Reason: "must be a JSON object"}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, &Fault{Code: codeBadJSON, Reason: "must be a JSON object"}
	}
	var list []member
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			return nil, &Fault{Code: codeBadJSON, Reason: "must be a JSON object"}
		}
		if seen[name] {
			return nil, &Fault{Field: clip(name), Code: codeDuplicateField, Reason: "is given twice"}
		}
		if len(list) == maxMembers {
			return nil, &Fault{Code: codeTooLarge, Reason: fmt.Sprintf("has over %d members", maxMembers)}
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, &Fault{Field: clip(name), Code: codeBadJSON, Reason: "is not JSON"}
		}
		seen[name] = true
		list = append(list, member{name, value})
	}
	return list, nil
}

// elements lists the values of one valid JSON array, at most limit+1 of them:
// enough to see that there are too many.
func elements(raw []byte, limit int) ([]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("json.Token: %w", err)
	}
	var list []json.RawMessage
	for dec.More() && len(list) <= limit {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("json.Decode: %w", err)
		}
		list = append(list, value)
	}
	return list, nil
}

// jsonFault says where raw stops being one JSON value, or returns "".
func jsonFault(raw []byte) string {
	if json.Valid(raw) {
		return ""
	}
	var into json.RawMessage
	err := json.Unmarshal(raw, &into)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("is not JSON: %s at byte %d", syntax.Error(), syntax.Offset)
	}
	return "is not JSON"
}

// utf8Fault says where raw stops being UTF-8, or returns "". A browser closes a
// WebSocket on a text frame that is not, so such bytes may never get into JSON.
func utf8Fault(raw []byte) string {
	if utf8.Valid(raw) {
		return ""
	}
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n <= 1 {
			return fmt.Sprintf("is not UTF-8 at byte %d", i+1)
		}
		i += n
	}
	return "is not UTF-8"
}

// text reads a member that must be a string; null counts as left out.
func (m member) text() (string, *Fault) {
	if string(m.value) == "null" {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(m.value, &s); err != nil {
		return "", &Fault{Field: m.name, Code: codeBadField, Reason: "must be a string"}
	}
	return s, nil
}

// instant reads an RFC 3339 time. Years that leave 0001–9999 in UTC are refused:
// they have no RFC 3339 form to be delivered in.
func instant(field, s string) (time.Time, *Fault) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, &Fault{Field: field, Code: codeBadField, Reason: "is not an RFC 3339 time such as 2026-01-31T12:00:00Z"}
	}
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, &Fault{Field: field, Code: codeBadField, Reason: "lies outside the years 0001 to 9999 in UTC"}
	}
	return t, nil
}

// clip shortens a sender's text before it is repeated in an answer.
func clip(s string) string {
	if len(s) <= maxQuote {
		return s
	}
	cut := maxQuote
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
