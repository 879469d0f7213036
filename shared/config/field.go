package config

import (
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"tidings/shared/telemetry"
)

// maxList bounds the elements of a list setting; far more than anyone types.
const maxList = 256

// field is one setting: its names from the tags and its place in a Settings.
type field struct {
	name  string // "events-age"
	def   string // the default as text, with the command's own applied
	help  string
	value reflect.Value
}

// env is the setting's environment variable: "TIDINGS_EVENTS_AGE".
func (f field) env() string { return "TIDINGS_" + strings.ToUpper(f.key()) }

// key is the setting's key in the file: "events_age".
func (f field) key() string { return strings.ReplaceAll(f.name, "-", "_") }

// fields lists the settings in the order of the struct.
func (s *Settings) fields() []field {
	v := reflect.ValueOf(s).Elem()
	var list []field
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if name := tag.Get("name"); name != "" {
			list = append(list, field{name: name, def: tag.Get("default"), help: tag.Get("help"), value: v.Field(i)})
		}
	}
	return list
}

// kind names what the setting takes, for usage texts.
func (f field) kind() string {
	switch f.value.Interface().(type) {
	case bool:
		return "bool"
	case int:
		return "number"
	case time.Duration:
		return "duration"
	case Size:
		return "size"
	case URL:
		return "url"
	case telemetry.Secret:
		return "secret"
	}
	if f.value.Kind() == reflect.Slice {
		return "list"
	}
	return "text"
}

// hides reports whether the setting's text may hold a secret and must not be
// quoted.
func (f field) hides() bool {
	switch f.value.Interface().(type) {
	case telemetry.Secret, []telemetry.Secret, []Hook, URL:
		return true
	}
	return false
}

// set fills the setting from text; a list is separated by commas.
func (f field) set(text string) error {
	if f.value.Kind() == reflect.Slice {
		return f.setList(strings.Split(text, ","))
	}
	switch p := f.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *telemetry.Secret:
		*p = telemetry.Secret(text)
	case *URL:
		*p = URL(text)
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("must be true or false")
		}
		*p = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("must be a whole number")
		}
		*p = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("must be a duration such as 500ms, 15s or 24h")
		}
		*p = d
	case *Size:
		n, err := ParseSize(text)
		if err != nil {
			return err
		}
		*p = n
	}
	return nil
}

// setList fills a list setting. Empty elements are skipped: a trailing comma is no
// fault.
func (f field) setList(items []string) error {
	kept := make([]string, 0, len(items))
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			kept = append(kept, item)
		}
	}
	if len(kept) > maxList {
		return errors.New("must have at most " + strconv.Itoa(maxList) + " elements")
	}
	switch p := f.value.Addr().Interface().(type) {
	case *[]string:
		return fill(p, kept, func(s string) (string, error) { return s, nil })
	case *[]telemetry.Secret:
		return fill(p, kept, func(s string) (telemetry.Secret, error) { return telemetry.Secret(s), nil })
	case *[]netip.Prefix:
		return fill(p, kept, parsePrefix)
	case *[]Hook:
		return fill(p, kept, ParseHook)
	}
	return nil
}

// fill parses every element into the list, or leaves the list as it is and returns
// all errors.
func fill[T any](list *[]T, items []string, parse func(string) (T, error)) error {
	var parsed []T
	var errs []error
	for _, item := range items {
		v, err := parse(item)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		parsed = append(parsed, v)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	*list = parsed
	return nil
}

// parsePrefix reads a network, or one address. The network's address must have no
// bits set beyond its length, which is a slip more often than not.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New(shown(s) + " is no network such as 10.0.0.0/8 or fd00::/8")
	}
	if p != p.Masked() {
		return netip.Prefix{}, errors.New(shown(s) + " has bits beyond its length; write " + p.Masked().String())
	}
	return p, nil
}

// text writes the setting's value as it could be configured, with secrets hidden.
func (f field) text() string {
	switch v := f.value.Interface().(type) {
	case time.Duration:
		return shortDuration(v)
	case []string:
		return strings.Join(v, ",")
	case []telemetry.Secret:
		return join(v)
	case []netip.Prefix:
		return join(v)
	case []Hook:
		return join(v)
	case interface{ String() string }:
		return v.String()
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return f.value.String()
}

// join writes a list with commas.
func join[T interface{ String() string }](list []T) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = v.String()
	}
	return strings.Join(parts, ",")
}

// shortDuration writes 24h instead of Go's 24h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
