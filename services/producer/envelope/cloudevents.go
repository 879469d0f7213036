package envelope

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"tidings/shared/event"
	"tidings/shared/subject"
)

const (
	// specVersion is the one version of CloudEvents that is read.
	specVersion = "1.0"
	// attrTopic is the extension attribute that names the topic. CloudEvents' own
	// "subject" serves too, when what it says is a topic.
	attrTopic = "tidingstopic"
	// headerPrefix begins the HTTP headers of binary mode, in Go's canonical form.
	headerPrefix = "Ce-"
)

// cloudEvent gathers one CloudEvent while its attributes are read, from JSON or
// from HTTP headers. Extensions other than attrTopic are not kept.
type cloudEvent struct {
	ev      event.Event
	version string
	subject string
	topic   string
	data    json.RawMessage // nil when not given
	base64  string
	// label turns an attribute's name into the one the sender used.
	label  func(attribute string) string
	faults []Fault
}

// parseStructured reads one CloudEvent in the JSON format. raw must be valid JSON
// in UTF-8.
func parseStructured(raw []byte, fallback subject.Topic) (Item, []Fault) {
	list, fault := members(raw)
	if fault != nil {
		return Item{}, []Fault{*fault}
	}
	c := cloudEvent{label: func(attribute string) string { return attribute }}
	for _, m := range list {
		switch m.name {
		case "data":
			c.data = m.value
		case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data_base64", attrTopic:
			s, fault := m.text()
			if fault != nil {
				c.faults = append(c.faults, *fault)
				continue
			}
			c.set(m.name, s)
		default:
			if !attributeName(m.name) {
				c.refuse(clip(m.name), codeUnknownField, "is no attribute: those are lower-case letters and digits")
			}
		}
	}
	c.decodeData()
	return c.finish(fallback)
}

// binaryMode reports whether the headers carry a CloudEvent. One required
// attribute is enough: an event that lacks the others is refused, not misread.
func binaryMode(header http.Header) bool {
	for _, name := range []string{"Ce-Specversion", "Ce-Type", "Ce-Id", "Ce-Source"} {
		if _, given := header[name]; given {
			return true
		}
	}
	return false
}

// parseBinary reads a CloudEvent whose attributes are HTTP headers and whose data
// is the body.
func parseBinary(header http.Header, body []byte, fallback subject.Topic) (Item, []Fault) {
	c := cloudEvent{label: func(attribute string) string { return "ce-" + attribute }}
	for name, values := range header {
		attribute, ok := strings.CutPrefix(name, headerPrefix)
		if !ok {
			continue
		}
		attribute = strings.ToLower(attribute)
		if len(values) != 1 {
			c.refuse(c.label(attribute), codeDuplicateField, "is given twice")
			continue
		}
		value, ok := headerText(values[0])
		if !ok {
			c.refuse(c.label(attribute), codeBadField, "is not percent-encoded UTF-8")
			continue
		}
		c.set(attribute, value)
	}
	slices.SortFunc(c.faults, func(a, b Fault) int { return strings.Compare(a.Field, b.Field) })
	data, contentType, fault := payload(header.Get("Content-Type"), body)
	if fault != nil {
		c.faults = append(c.faults, *fault)
	}
	c.ev.Data, c.ev.ContentType = data, contentType
	return c.finish(fallback)
}

// set takes one attribute in.
func (c *cloudEvent) set(attribute, value string) {
	switch attribute {
	case "specversion":
		c.version = value
	case "id":
		c.ev.ID = value
	case "source":
		c.ev.Source = value
	case "type":
		c.ev.Type = value
	case "subject":
		c.subject = value
	case "datacontenttype":
		c.ev.ContentType = value
	case "data_base64":
		c.base64 = value
	case attrTopic:
		c.topic = value
	case "time":
		if value == "" {
			return
		}
		t, fault := instant(c.label("time"), value)
		if fault != nil {
			c.faults = append(c.faults, *fault)
		}
		c.ev.Time = t
	}
}

// decodeData turns data or data_base64 of the JSON format into the body.
func (c *cloudEvent) decodeData() {
	isJSON := jsonMedia(c.ev.ContentType)
	body, field := []byte(c.data), "data"
	switch {
	case c.base64 != "" && c.data != nil:
		c.refuse("data_base64", codeBadField, "and data are both given; send one of them")
		return
	case c.base64 != "":
		decoded, err := base64.StdEncoding.DecodeString(c.base64)
		if err != nil {
			c.refuse("data_base64", codeBadField, "is not base64")
			return
		}
		body, field = decoded, "data_base64"
	case c.data == nil || isJSON:
	case string(c.data) == "null":
		body = nil
	default: // the string is the data, of whatever type
		var s string
		if err := json.Unmarshal(c.data, &s); err != nil {
			c.refuse("data", codeBadField, "must be a string, since datacontenttype is not JSON")
			return
		}
		body = []byte(s)
	}
	data, contentType, fault := payload(c.ev.ContentType, body)
	if fault != nil {
		if fault.Field == "data" {
			fault.Field = field
		}
		c.faults = append(c.faults, *fault)
	}
	c.ev.Data, c.ev.ContentType = data, contentType
}

// finish checks what every CloudEvent must have and decides the topic.
func (c *cloudEvent) finish(fallback subject.Topic) (Item, []Fault) {
	switch c.version {
	case specVersion:
	case "":
		c.refuse(c.label("specversion"), codeMissingField, "is missing; it must be "+specVersion)
	default:
		c.refuse(c.label("specversion"), codeBadField, "must be "+specVersion)
	}
	for _, a := range [...]struct{ attribute, value string }{{"id", c.ev.ID}, {"source", c.ev.Source}, {"type", c.ev.Type}} {
		if a.value == "" && !c.faulty(c.label(a.attribute)) {
			c.refuse(c.label(a.attribute), codeMissingField, "is missing; CloudEvents requires it")
		}
	}
	c.place(fallback)
	for _, f := range checked(c.ev) {
		if f.Field == "id" || f.Field == "source" || f.Field == "type" {
			f.Field = c.label(f.Field)
		}
		c.faults = append(c.faults, f)
	}
	if len(c.faults) > 0 {
		return Item{}, c.faults
	}
	return Item{Event: c.ev, Key: cloudKey(c.ev)}, nil
}

// place decides the topic. The extension is an order and must be right; subject
// belongs to the sender's domain, so it gives way to ?topic= if it is no topic.
func (c *cloudEvent) place(fallback subject.Topic) {
	field, name := attrTopic, c.topic
	if name == "" {
		field, name = "subject", c.subject
	}
	if name == "" && fallback == "" {
		if !c.faulty(c.label(attrTopic)) && !c.faulty(c.label("subject")) {
			c.refuse(c.label(attrTopic), codeMissingField, "is missing: name the topic in it, in "+c.label("subject")+" or in ?topic=")
		}
		return
	}
	topic, err := subject.ParseTopic(name)
	switch {
	case err == nil:
		c.ev.Topic = topic
	case field == "subject" && fallback != "":
		c.ev.Topic = fallback
	default:
		c.faults = append(c.faults, topicFault(c.label(field), err))
	}
}

// refuse notes a fault.
func (c *cloudEvent) refuse(field, code, reason string) {
	c.faults = append(c.faults, Fault{Field: field, Code: code, Reason: reason})
}

// faulty reports whether a fault of field is known already.
func (c *cloudEvent) faulty(field string) bool {
	return slices.ContainsFunc(c.faults, func(f Fault) bool { return f.Field == field })
}

// payload makes an event's data of an HTTP body and its Content-Type. No content
// is JSON null, unless the type says that it is something else. What claims to be
// JSON must be. A form that holds an object or array is what `curl -d` sends when
// told nothing else, and counts as JSON.
func payload(contentType string, body []byte) (data []byte, kept string, fault *Fault) {
	if contentType != "" {
		media, _, err := mime.ParseMediaType(contentType)
		if err != nil {
			return nil, "", &Fault{Field: "datacontenttype", Code: codeBadField, Reason: "is not a media type"}
		}
		if first := firstByte(body); media == mediaForm && (first == '{' || first == '[') && json.Valid(body) {
			contentType = ""
		}
	}
	switch isJSON := jsonMedia(contentType); {
	case !isJSON:
		return body, contentType, nil
	case len(body) == 0:
		return []byte("null"), contentType, nil
	case json.Valid(body):
		if reason := utf8Fault(body); reason != "" {
			return nil, "", &Fault{Field: "data", Code: codeBadJSON, Reason: reason}
		}
	case contentType != "":
		return nil, "", &Fault{Field: "data", Code: codeBadJSON, Reason: jsonFault(body) + ", which its content type promises"}
	}
	return body, contentType, nil
}

// jsonMedia reports whether a media type holds JSON; the empty one does, as far
// as the data is.
func jsonMedia(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"))
}

// headerText decodes a header value of binary mode: quotes go first, then the
// percent-encoding, as the HTTP binding has it.
func headerText(value string) (string, bool) {
	value = textproto.TrimString(value)
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		var b strings.Builder
		inner := value[1 : len(value)-1]
		for i := 0; i < len(inner); i++ {
			if inner[i] == '\\' && i+1 < len(inner) {
				i++
			}
			b.WriteByte(inner[i])
		}
		value = b.String()
	}
	text, err := url.PathUnescape(value)
	return text, err == nil && utf8.ValidString(text)
}

// attributeName reports whether s may name a CloudEvents attribute.
func attributeName(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != ""
}
