package event_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tidings/shared/event"
)

// FuzzAppendSSE sends any headers and any payload through FromMessage and
// AppendSSE and reads the block back with a naive parser: one block, three lines,
// one JSON object that says what the event says.
func FuzzAppendSSE(f *testing.F) {
	f.Add("cpu", "1", "s", "", "", []byte(`{"a":1}`), uint64(1))
	f.Add("tidings.bye", "\n", "\xff", "text/plain", "2026-01-01T00:00:00Z", []byte("a\r\nb"), uint64(0))
	f.Add("a\ndata: x", `"\`, "\u2028", "application/json", "9999-12-31T23:59:59-01:00", []byte("{\r\n\"a\": \"\u2028\"\r\n}"), uint64(9))
	f.Add("", "", "", "x+json", "", []byte("\"\xff\""), uint64(7))
	f.Add("ü", "<", "&", "text/json;a=b", "x", []byte(nested(600)), uint64(1<<63))
	f.Add("a", "b", "c", "", "0001-01-01T00:00:00Z", []byte("\x00\xff"), uint64(2))
	f.Fuzz(func(t *testing.T, kind, id, source, contentType, when string, data []byte, seq uint64) {
		header := map[string][]string{
			event.HeaderType: {kind}, event.HeaderID: {id}, event.HeaderSource: {source},
			event.HeaderContentType: {contentType}, event.HeaderTime: {when},
		}
		e := event.FromMessage("room.a=20b", header, data, time.Unix(1, 0))
		if err := e.Check(); err != nil && len(data) <= event.MaxData {
			t.Fatalf("FromMessage let pass what Check does not: %v", err)
		}
		c := event.Cursor{Epoch: "e1", Seq: seq}
		if seq == 0 {
			c = event.Cursor{}
		}
		fields, err := parseBlock(string(e.AppendSSE(nil, c)))
		if err != nil {
			t.Fatal(err)
		}
		if fields["id"] != c.String() || fields["event"] != e.Type {
			t.Fatalf("id %q, event %q of %+v at %v", fields["id"], fields["event"], e, c)
		}
		if err := sameObject(fields["data"], e, c); err != nil {
			t.Fatalf("%v, in %q", err, fields["data"])
		}
		if got, want := string(e.AppendJSON(nil, c)), fields["data"]; got != want {
			t.Fatalf("AppendJSON = %q, the frame holds %q", got, want)
		}
		if object := e.AppendJSONCursor(nil, c); !json.Valid(object) || bytes.ContainsAny(object, "\r\n") {
			t.Fatalf("AppendJSONCursor = %q", object)
		}
	})
}

// parseBlock reads exactly one block of Server-Sent Events, as the standard says
// browsers do: lines end with CR, LF or both, one space after the colon goes.
func parseBlock(s string) (map[string]string, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("the block is not UTF-8")
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	body, ok := strings.CutSuffix(s, "\n\n")
	if !ok {
		return nil, fmt.Errorf("%q does not end with an empty line", s)
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(body, "\n") {
		name, value, ok := strings.Cut(line, ":")
		if _, twice := fields[name]; !ok || twice || name != "id" && name != "event" && name != "data" {
			return nil, fmt.Errorf("line %q in %q", line, s)
		}
		fields[name] = strings.TrimPrefix(value, " ")
	}
	return fields, nil
}

// sameObject checks that a data line says what the event says, and nothing else.
func sameObject(line string, e event.Event, c event.Cursor) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		return fmt.Errorf("the data line is no JSON object: %w", err)
	}
	id := e.ID
	if id == "" {
		id = c.String()
	}
	when := e.Time.Format(time.RFC3339Nano)
	if e.Time.IsZero() {
		when = ""
	} else if _, err := time.Parse(time.RFC3339Nano, when); err != nil {
		return fmt.Errorf("the time: %w", err)
	}
	for name, want := range map[string]string{"topic": string(e.Topic), "type": e.Type, "id": id, "source": e.Source, "time": when} {
		var got string
		raw, ok := object[name]
		if delete(object, name); ok != (want != "") {
			return fmt.Errorf("%s is %s, want %q", name, raw, want)
		} else if !ok {
			continue
		}
		if err := json.Unmarshal(raw, &got); err != nil || got != want {
			return fmt.Errorf("%s is %s, want %q", name, raw, want)
		}
	}
	if len(object) != 1 {
		return fmt.Errorf("%d members instead of the data alone", len(object))
	}
	return sameData(object, e)
}

// sameData checks the one of three forms that the data may have.
func sameData(object map[string]json.RawMessage, e event.Event) error {
	if raw, ok := object["data_base64"]; ok {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil || s != base64.StdEncoding.EncodeToString(e.Data) || utf8.Valid(e.Data) {
			return fmt.Errorf("data_base64 is %s", raw)
		}
		return nil
	}
	raw, ok := object["data"]
	if !ok {
		return errors.New("there is no data")
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && text == string(e.Data) {
		return nil
	}
	var got, want bytes.Buffer
	if err := errors.Join(json.Compact(&got, raw), json.Compact(&want, e.Data)); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		return fmt.Errorf("data is %s, want %q", raw, e.Data)
	}
	return nil
}
