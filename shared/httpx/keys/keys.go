package keys

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// few is how many keys of one object are compared with each other one by one. That
// allocates nothing, and nearly all objects have fewer; beyond it a map takes over, or
// an object of a million keys would take a million million comparisons.
const few = 16

// Fault is a key that must not be where it is.
type Fault struct {
	// Name is the key as the caller wrote it, without quotes and escapes.
	Name string
	// At is the offset of its first quote in bytes.
	At int
	// Meant is the field that it names when case is ignored; it is "" for a key that
	// its object has twice.
	Meant string
}

// Check returns the first fault of data, or nil: a key that an object has twice, at
// every level and in every part, or a key that encoding/json has taken for a field of t
// although its case is another. Parts whose types read themselves, such as
// json.RawMessage, have no fields here. data must begin with one JSON value that was
// decoded into a t without unknown fields; how deep it nests must be bounded.
func Check(data []byte, t reflect.Type) *Fault {
	c := checker{data: data, fields: map[reflect.Type]map[string]reflect.Type{}}
	return c.value(t)
}

// checker is one call of Check.
type checker struct {
	data   []byte
	at     int
	fields map[reflect.Type]map[string]reflect.Type // of each struct that was met
}

// value goes over the next value. t is nil where no fields are known.
func (c *checker) value(t reflect.Type) *Fault {
	switch t = plain(t); c.next() {
	case '{':
		return c.object(t)
	case '[':
		if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
			return c.array(t.Elem())
		}
		return c.array(nil)
	case '"':
		c.text()
	default: // a number or a word
		for c.at < len(c.data) && strings.IndexByte(",]} \t\r\n", c.data[c.at]) < 0 {
			c.at++
		}
	}
	return nil
}

// object goes over an object that becomes a t.
func (c *checker) object(t reflect.Type) *Fault {
	var fields map[string]reflect.Type
	var below reflect.Type
	if t != nil && t.Kind() == reflect.Struct {
		fields = c.of(t)
	} else if t != nil && t.Kind() == reflect.Map {
		below = t.Elem()
	}
	var met names
	for c.at++; c.next() != '}'; {
		if c.data[c.at] == ',' {
			c.at++
			c.next()
		}
		at := c.at
		name := c.text()
		if !met.add(name) {
			return &Fault{Name: string(name), At: at}
		}
		if fields != nil {
			below = fields[string(name)]
			if field := meant(fields, name); field != "" {
				return &Fault{Name: string(name), At: at, Meant: field}
			}
		}
		c.next()
		c.at++ // the colon
		if f := c.value(below); f != nil {
			return f
		}
	}
	c.at++
	return nil
}

// array goes over an array of ts.
func (c *checker) array(t reflect.Type) *Fault {
	for c.at++; c.next() != ']'; {
		if c.data[c.at] == ',' {
			c.at++
		}
		if f := c.value(t); f != nil {
			return f
		}
	}
	c.at++
	return nil
}

// next passes white space and returns what is behind it.
func (c *checker) next() byte {
	for {
		switch b := c.data[c.at]; b {
		case ' ', '\t', '\r', '\n':
			c.at++
		default:
			return b
		}
	}
}

// text passes a string and returns what it says.
func (c *checker) text() []byte {
	from := c.at
	for end := false; !end; {
		c.at += bytes.IndexByte(c.data[c.at+1:], '"') + 1
		before := c.at
		for c.data[before-1] == '\\' {
			before--
		}
		end = (c.at-before)%2 == 0 // else the quote itself is escaped
	}
	c.at++
	said := c.data[from+1 : c.at-1]
	if bytes.IndexByte(said, '\\') < 0 {
		return said
	}
	return unescaped(c.data[from:c.at])
}

// unescaped returns what a string says that holds escapes: "\u0061" is the name "a".
func unescaped(quoted []byte) []byte {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return quoted // cannot be, for it was decoded before
	}
	return []byte(s)
}

// of returns the types of a struct's fields by the names that they have in JSON.
func (c *checker) of(t reflect.Type) map[string]reflect.Type {
	if known, ok := c.fields[t]; ok {
		return known
	}
	fields := map[string]reflect.Type{}
	c.fields[t] = fields // before its embedded structs, of which it may be one
	var embedded []reflect.Type
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			embedded = append(embedded, inner)
		case !f.IsExported():
		case name == "":
			fields[f.Name] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	for _, e := range embedded {
		for name, t := range c.of(e) {
			if _, hidden := fields[name]; !hidden {
				fields[name] = t
			}
		}
	}
	return fields
}

// plain returns the type below pointers, nil for one that reads itself.
func plain(t reflect.Type) reflect.Type {
	for t != nil {
		p := reflect.PointerTo(t)
		if p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// meant returns the field that a name is only when case is ignored, "" if it is one as
// it stands.
func meant(fields map[string]reflect.Type, name []byte) string {
	if _, ok := fields[string(name)]; ok {
		return ""
	}
	best := ""
	for field := range fields {
		if strings.EqualFold(field, string(name)) && (best == "" || field < best) {
			best = field
		}
	}
	return best
}

// names are the keys of one object.
type names struct {
	n     int
	first [few][]byte
	all   map[string]struct{} // once there are more than those
}

// add reports whether a name is new.
func (n *names) add(name []byte) bool {
	if n.all != nil {
		before := len(n.all)
		n.all[string(name)] = struct{}{}
		return len(n.all) > before
	}
	for _, other := range n.first[:n.n] {
		if bytes.Equal(other, name) {
			return false
		}
	}
	if n.n < few {
		n.first[n.n] = name
		n.n++
		return true
	}
	n.all = map[string]struct{}{string(name): {}}
	for _, other := range n.first {
		n.all[string(other)] = struct{}{}
	}
	return true
}
