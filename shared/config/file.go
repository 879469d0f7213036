package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds the settings file in bytes. A real one has a few KiB; anything
// larger is the wrong file.
const maxFile = 1 << 20

// applyFile finds the file's path, which only a flag, the environment or a default
// can give, and applies the file.
func (l *loader) applyFile(env func(string) (string, bool)) {
	path := l.settings.Config
	if text, ok := env("TIDINGS_CONFIG"); ok && text != "" {
		path = text
	}
	if c := l.given["config"]; c.set {
		path = c.text
	}
	if path == "" {
		return
	}
	values, keys, err := readFile(path)
	if err != nil {
		l.keep(&Fault{Source: Source{Kind: "file", Name: path}, Problem: err.Error()})
		return
	}
	byKey := make(map[string]field, len(l.fields))
	for _, f := range l.fields {
		byKey[f.key()] = f
	}
	for _, key := range keys {
		from := Source{Kind: "file", Name: path + ": " + key}
		f, ok := byKey[key]
		if !ok || f.name == "config" {
			l.keep(&Fault{Source: from, Problem: l.unknownKey(key)})
			continue
		}
		l.applyValue(f, values[key], from)
	}
}

// readFile parses the file and returns its values and its top-level keys in order.
// Errors never quote the file, which may hold secrets.
func readFile(path string) (values map[string]any, keys []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return nil, nil, errors.New("the file cannot be opened: " + err.Error())
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	// It was only read: closing cannot lose anything.
	_ = file.Close()
	switch {
	case err != nil:
		return nil, nil, errors.New("the file cannot be read")
	case len(data) > maxFile:
		return nil, nil, errors.New("the file is over 1 MiB")
	}
	md, err := toml.Decode(string(data), &values)
	if err != nil {
		if e, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, nil, errors.New("line " + strconv.Itoa(e.Position.Line) + " is not valid TOML: write key = value, text in quotes, each key once")
		}
		return nil, nil, errors.New("the file is not valid TOML")
	}
	for _, k := range md.Keys() {
		if len(k) == 1 {
			keys = append(keys, k[0])
		}
	}
	return values, keys, nil
}

// unknownKey says what is wrong with a key and what was probably meant.
func (l *loader) unknownKey(key string) string {
	if key == "config" {
		return "a file cannot name another file"
	}
	plain := strings.ReplaceAll(strings.ToLower(key), "-", "_")
	plain = strings.TrimPrefix(plain, "tidings_")
	var known []string
	for _, f := range l.fields {
		known = append(known, f.key())
	}
	if near := nearest(plain, known); near != "" {
		return "there is no such setting; did you mean " + near + "?"
	}
	return "there is no such setting"
}

// applyValue sets a field from a TOML value.
func (l *loader) applyValue(f field, v any, from Source) {
	list := f.value.Kind() == reflect.Slice
	switch v := v.(type) {
	case string:
		l.apply(f, v, from)
		return
	case bool:
		if f.kind() == "bool" {
			l.apply(f, strconv.FormatBool(v), from)
			return
		}
	case int64:
		if k := f.kind(); k == "number" || k == "size" {
			l.apply(f, strconv.FormatInt(v, 10), from)
			return
		}
	case []any:
		if items, ok := texts(v); ok && list {
			l.note(f, "", from, f.setList(items))
			return
		}
	}
	want := "text in quotes"
	switch k := f.kind(); {
	case list:
		want = "an array of texts"
	case k == "bool":
		want = "true or false"
	case k == "number":
		want = "a whole number"
	case k == "size":
		want = "a number of bytes, or text such as \"64MiB\""
	case k == "duration":
		want = "text such as \"15s\" or \"24h\""
	}
	l.keep(&Fault{Setting: f.name, Source: from, Problem: "must be " + want})
}

// texts turns a TOML array into strings if all its elements are.
func texts(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}
