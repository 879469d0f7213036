package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tidings/shared/httpx/keys"
)

// CodeDuplicateField is the code for an object that has a field twice; "param" names it.
const CodeDuplicateField = "duplicate_field"

const (
	// MaxJSON bounds what DecodeJSON reads, in bytes, where no tighter limit was set
	// before it.
	MaxJSON = 8 << 20
	// MaxJSONDepth bounds how deep objects and arrays may nest. Ours nest three deep;
	// the rest is room for data of the caller's own. Deeper nesting is only good for
	// exhausting a stack.
	MaxJSONDepth = 64
	// maxNameShown cuts a caller's own field name before it is quoted back.
	maxNameShown = 64
)

// DecodeJSON reads one JSON value from r into v, a pointer. It is strict: unknown
// fields, those whose case is another, a field given twice in any object, data after
// the value, nesting over MaxJSONDepth, more than MaxJSON bytes and text that is not
// UTF-8 are refused; v may be written to nevertheless. Faults of the input are
// *Problems which name the field or the byte, counted from 0; any other error is a bug
// in v.
func DecodeJSON(r io.Reader, v any) error {
	data, err := io.ReadAll(io.LimitReader(r, MaxJSON+1))
	if err != nil {
		return readProblem(err)
	}
	if len(data) > MaxJSON {
		return bodyTooLarge(MaxJSON)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return NewProblem(http.StatusBadRequest, CodeEmptyBody, "A JSON body is needed and there is none.")
	}
	if at := badUTF8(data); at >= 0 {
		return badJSON("is not UTF-8", at, nil)
	}
	if at := tooDeep(data); at >= 0 {
		return badJSON("nests deeper than "+strconv.Itoa(MaxJSONDepth)+" levels", at, nil)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return jsonProblem(err, len(data))
	}
	rest := int(d.InputOffset())
	if tail := bytes.TrimLeft(data[rest:], " \t\r\n"); len(tail) > 0 {
		return badJSON("goes on after its end", len(data)-len(tail), nil)
	}
	if f := keys.Check(data, reflect.TypeOf(v)); f != nil {
		return keyProblem(f)
	}
	return nil
}

// keyProblem explains a key that encoding/json took and others would not.
func keyProblem(f *keys.Fault) *Problem {
	name := clipName(f.Name)
	if f.Meant == "" {
		return Bad(name, CodeDuplicateField, "The field "+strconv.Quote(name)+" is given twice, again at byte "+strconv.Itoa(f.At)+".")
	}
	return Bad(name, CodeUnknownField, "There is no field "+strconv.Quote(name)+".").
		WithHint("Case counts: the field is " + strconv.Quote(f.Meant) + ".")
}

// badJSON is a problem of the text as a whole; what completes "The JSON …".
func badJSON(what string, at int, cause error) *Problem {
	return &Problem{
		Status: http.StatusBadRequest, Code: CodeBadJSON,
		Detail: "The JSON " + what + " at byte " + strconv.Itoa(at) + ".", Err: cause,
	}
}

// jsonProblem explains an error of encoding/json.
func jsonProblem(err error, size int) error {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		// Offset is the number of bytes read, including the wrong one.
		return badJSON("is broken ("+e.Error()+")", max(int(e.Offset)-1, 0), err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return badJSON("ends too early", size, err)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return typeProblem(e)
	}
	if e, ok := errors.AsType[*json.InvalidUnmarshalError](err); ok {
		return fmt.Errorf("decode JSON: %w", e)
	}
	if name, ok := unknownField(err); ok {
		return Bad(name, CodeUnknownField, "There is no field "+strconv.Quote(name)+".").WithCause(err)
	}
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		return NewProblem(http.StatusBadRequest, CodeBadField, "A time must be written like 2026-01-31T13:45:00Z.").WithCause(err)
	}
	// A value's own UnmarshalJSON or UnmarshalText refused it. What it says was not
	// written for callers.
	return NewProblem(http.StatusBadRequest, CodeBadField, "A value does not have the form it must have.").WithCause(err)
}

// typeProblem names the field that has a value of the wrong JSON type.
func typeProblem(e *json.UnmarshalTypeError) *Problem {
	got, _, _ := strings.Cut(e.Value, " ")
	p := Bad(e.Field, CodeBadField, "The value at byte "+strconv.FormatInt(e.Offset, 10)+" must be "+jsonType(e.Type)+", not "+got+".")
	switch {
	case got == "number" && isNumber(e.Type):
		p.Detail = "The number at byte " + strconv.FormatInt(e.Offset, 10) + " is out of range or not whole."
	case e.Field != "":
		p.Detail = "The field " + strconv.Quote(clipName(e.Field)) + " must be " + jsonType(e.Type) + ", not " + got + "."
	}
	return p.WithParam(clipName(e.Field)).WithCause(e)
}

func isNumber(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64
}

// jsonType names a Go type in JSON's words.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return jsonType(t.Elem())
	}
	if isNumber(t) {
		return "a number"
	}
	return "something else"
}

// unknownField finds the name in the error for an unknown field, which
// encoding/json gives no type of its own.
func unknownField(err error) (string, bool) {
	quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field ")
	if !ok {
		return "", false
	}
	name, err := strconv.Unquote(quoted)
	if err != nil {
		return "", false
	}
	return clipName(name), true
}

// clipName shortens a hostile name, at the start of a character.
func clipName(s string) string {
	if len(s) <= maxNameShown {
		return s
	}
	n := maxNameShown
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// badUTF8 returns the offset of the first byte that is not UTF-8, or -1.
// encoding/json would replace it silently.
func badUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for at := 0; at < len(data); {
		r, n := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
	return -1
}

// tooDeep returns the offset of the bracket that opens one level too many, or -1.
// It need not understand JSON beyond strings; the decoder refuses the rest.
func tooDeep(data []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxJSONDepth {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}
