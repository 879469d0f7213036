package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDepth is how deeply Data may be nested to be embedded as JSON; deeper Data
// becomes a JSON string. Parsers have limits (PHP's is 512, ours 10,000), and one
// event over a reader's limit would spoil the whole page of history it is in.
const maxDepth = 500

// AppendJSON appends the event as one line of JSON. c is its position; it
// becomes the id of an event that has none. Data that is JSON is embedded as it
// is, other text becomes a JSON string, and bytes become "data_base64", as in
// the CloudEvents JSON format.
func (e Event) AppendJSON(dst []byte, c Cursor) []byte {
	return append(e.appendOpen(dst, c), '}')
}

// AppendJSONCursor is AppendJSON with a "cursor" member: the form of an event
// where no id line goes with it (WebSocket, long-poll, history).
func (e Event) AppendJSONCursor(dst []byte, c Cursor) []byte {
	dst = e.appendOpen(dst, c)
	if c.Epoch != "" {
		dst = append(dst, `,"cursor":"`...)
		dst = append(c.Append(dst), '"')
	}
	return append(dst, '}')
}

// AppendSSE appends the event as one Server-Sent Events block. An ephemeral
// event has no position: with a zero Cursor the block has no id line, so that it
// cannot move a browser's cursor.
func (e Event) AppendSSE(dst []byte, c Cursor) []byte {
	if c.Epoch != "" {
		dst = append(dst, "id: "...)
		dst = append(c.Append(dst), '\n')
	}
	dst = append(dst, "event: "...)
	dst = append(dst, e.Type...)
	dst = append(dst, "\ndata: "...)
	dst = e.AppendJSON(dst, c)
	return append(dst, '\n', '\n')
}

// appendOpen appends everything but the closing brace.
func (e Event) appendOpen(dst []byte, c Cursor) []byte {
	dst = append(dst, `{"topic":"`...)
	dst = append(dst, e.Topic...) // canonical tokens need no JSON escape
	dst = append(dst, `","type":`...)
	dst = appendString(dst, e.Type)
	if e.ID != "" {
		dst = append(dst, `,"id":`...)
		dst = appendString(dst, e.ID)
	} else if c.Epoch != "" {
		dst = append(dst, `,"id":"`...)
		dst = append(c.Append(dst), '"')
	}
	if e.Source != "" {
		dst = append(dst, `,"source":`...)
		dst = appendString(dst, e.Source)
	}
	if !e.Time.IsZero() {
		dst = append(dst, `,"time":"`...)
		dst = e.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, '"')
	}
	return e.appendData(dst)
}

// appendData appends the data member.
func (e Event) appendData(dst []byte) []byte {
	// json.Valid lets broken UTF-8 in strings pass; a browser would not.
	if !utf8.Valid(e.Data) {
		dst = append(dst, `,"data_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, e.Data)
		return append(dst, '"')
	}
	dst = append(dst, `,"data":`...)
	if isJSON(e.ContentType) && json.Valid(e.Data) && !deep(e.Data) {
		return appendLine(dst, e.Data)
	}
	return appendString(dst, string(e.Data))
}

// isJSON reports whether a media type may hold JSON; the empty one may.
func isJSON(contentType string) bool {
	if contentType == "" || contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"))
}

// deep reports whether valid JSON is nested deeper than maxDepth.
func deep(valid []byte) bool {
	// Few brackets cannot nest deeply, and counting bytes is all but free.
	if bytes.Count(valid, []byte("["))+bytes.Count(valid, []byte("{")) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case c == '\\':
			i++ // outside of strings there is none
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[', c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']', c == '}':
			depth--
		}
	}
	return false
}

// appendLine appends valid JSON without line breaks: in JSON they can stand only
// between tokens, and a frame is one line.
func appendLine(dst, valid []byte) []byte {
	if bytes.IndexByte(valid, '\n') < 0 && bytes.IndexByte(valid, '\r') < 0 {
		return append(dst, valid...)
	}
	b := bytes.NewBuffer(dst)
	if err := json.Compact(b, valid); err != nil { // unreachable: the caller checked
		return append(dst, "null"...)
	}
	return b.Bytes()
}

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b := bytes.NewBuffer(dst)
			enc := json.NewEncoder(b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(s); err != nil { // unreachable: strings always encode
				return append(dst, `""`...)
			}
			return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
