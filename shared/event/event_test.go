package event_test

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"tidings/shared/event"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", event.MaxAttribute)
	for name, c := range map[string]struct {
		event event.Event
		field string // "" if it may be published
	}{
		"nothing set":              {event.Event{}, ""},
		"everything set":           {event.Event{Type: "a.b/ü", ID: "1", Source: "/s", ContentType: "text/plain", Except: "c", Data: []byte("\x00\xff")}, ""},
		"all as long as allowed":   {event.Event{Type: long[:event.MaxType], ID: long, Source: long, ContentType: long, Except: long, Data: make([]byte, event.MaxData)}, ""},
		"not quite reserved":       {event.Event{Type: "tidings"}, ""},
		"reserved":                 {event.Event{Type: "tidings.gap"}, "type"},
		"reserved to its last dot": {event.Event{Type: "tidings."}, "type"},
		"long type":                {event.Event{Type: long[:event.MaxType+1]}, "type"},
		"long id":                  {event.Event{ID: long + "x"}, "id"},
		"long source":              {event.Event{Source: long + "x"}, "source"},
		"long content type":        {event.Event{ContentType: long + "x"}, "datacontenttype"},
		"long except":              {event.Event{Except: long + "x"}, "except"},
		"much data":                {event.Event{Data: make([]byte, event.MaxData+1)}, "data"},
		"newline in the type":      {event.Event{Type: "a\ndata: {}"}, "type"},
		"carriage return":          {event.Event{Type: "a\rb"}, "type"},
		"null":                     {event.Event{ID: "a\x00"}, "id"},
		"delete":                   {event.Event{ID: "a\x7f"}, "id"},
		"next line":                {event.Event{Source: "a\u0085"}, "source"},
		"broken UTF-8":             {event.Event{Source: "a\xff"}, "source"},
		"header injection":         {event.Event{ContentType: "text/plain\r\nce-type: x"}, "datacontenttype"},
		"newline in except":        {event.Event{Except: "\n"}, "except"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.event.Check()
			if c.field == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var field *event.FieldError
			if !errors.As(err, &field) || !errors.Is(err, event.ErrInvalid) || field.Field != c.field {
				t.Fatalf("got %v, want a fault of %s", err, c.field)
			}
			if !strings.HasPrefix(err.Error(), c.field+" ") || len(err.Error()) > 100 {
				t.Errorf("the error reads %q", err)
			}
		})
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 3600)
	for name, c := range map[string]struct {
		event event.Event
		names []string
	}{
		"defaults": {event.Event{Type: event.DefaultType}, nil},
		"all of them": {
			event.Event{Type: "t", ID: "i", Source: "s", Except: "x", ContentType: "text/plain", Time: time.Date(2026, 1, 2, 3, 4, 5, 6, zone)},
			[]string{"ce-type", "ce-id", "ce-source", "ce-time", "Content-Type", "Tidings-Except"},
		},
		"words in any script": {event.Event{Type: "größe", ID: "日本", Source: "ä/ö"}, []string{"ce-type", "ce-id", "ce-source"}},
		"spaces":              {event.Event{Type: "a b", ID: "a  b"}, []string{"ce-type", "ce-id"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := c.event.Header()
			if len(header) != len(c.names) {
				t.Errorf("header %v, want %v", header, c.names)
			}
			for _, n := range c.names {
				if len(header[n]) != 1 {
					t.Errorf("%s: %q", n, header[n])
				}
			}
			stored := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
			want := c.event
			want.Topic, want.Data = "room.ops", []byte("{}")
			if want.Time = want.Time.UTC(); want.Time.IsZero() {
				want.Time = stored
			}
			if got := event.FromMessage("room.ops", header, []byte("{}"), stored); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestFromHostileMessage: whoever may publish to NATS may write any header, and
// must not be able to break a frame, to speak as Tidings, or to lose the event.
func TestFromHostileMessage(t *testing.T) {
	t.Parallel()
	stored := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	plain := event.Event{Topic: "all", Type: event.DefaultType, Time: stored, Data: []byte("1")}
	with := func(change func(*event.Event)) event.Event {
		e := plain
		change(&e)
		return e
	}
	for name, c := range map[string]struct {
		header map[string][]string
		want   event.Event
	}{
		"no values":          {map[string][]string{"ce-type": nil, "ce-id": {}}, plain},
		"empty values":       {map[string][]string{"ce-type": {""}, "ce-time": {""}}, plain},
		"reserved type":      {map[string][]string{"ce-type": {"tidings.bye"}}, plain},
		"newline":            {map[string][]string{"ce-type": {"a\ndata: x"}, "ce-id": {"a\r"}, "ce-source": {"\n"}}, plain},
		"null":               {map[string][]string{"ce-type": {"\x00"}}, plain},
		"broken UTF-8":       {map[string][]string{"ce-type": {"\xff"}, "ce-source": {"a\xc3"}}, plain},
		"too long a type":    {map[string][]string{"ce-type": {strings.Repeat("t", event.MaxType+1)}}, plain},
		"too long":           {map[string][]string{"ce-id": {strings.Repeat("i", event.MaxAttribute+1)}}, plain},
		"no time":            {map[string][]string{"ce-time": {"yesterday"}}, plain},
		"a year too far":     {map[string][]string{"ce-time": {"9999-12-31T23:59:59-01:00"}}, plain},
		"a year too early":   {map[string][]string{"ce-time": {"0000-01-01T00:00:00+01:00"}}, plain},
		"unknown attributes": {map[string][]string{"ce-specversion": {"1.0"}, "Nats-Msg-Id": {"1"}, "": {"x"}}, plain},
		"other case":         {map[string][]string{"CE-Type": {"t"}, "content-type": {"text/plain"}}, with(func(e *event.Event) { e.Type, e.ContentType = "t", "text/plain" })},
		"the first value":    {map[string][]string{"ce-type": {"t", "u"}}, with(func(e *event.Event) { e.Type = "t" })},
		"our spelling first": {map[string][]string{"CE-ID": {"a"}, "ce-id": {"b"}, "Ce-Id": {"c"}}, with(func(e *event.Event) { e.ID = "b" })},
		"then the least":     {map[string][]string{"cE-id": {"a"}, "CE-ID": {"b"}, "Ce-Id": {"c"}}, with(func(e *event.Event) { e.ID = "b" })},
		"a long s is no s":   {map[string][]string{"ce-\u017fource": {"a"}}, plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := maps.Clone(c.header)
			for range 20 { // a map's order is another one each time
				if got := event.FromMessage("all", c.header, []byte("1"), stored); !reflect.DeepEqual(got, c.want) {
					t.Fatalf("got  %+v\nwant %+v", got, c.want)
				}
			}
			if !reflect.DeepEqual(before, c.header) {
				t.Error("the headers were changed")
			}
		})
	}
}

// TestFromCheckedMessage: what Check lets pass arrives as it was sent.
func TestFromCheckedMessage(t *testing.T) {
	t.Parallel()
	e := event.Event{
		Topic: "all", Type: strings.Repeat("ü", event.MaxType/2), ID: strings.Repeat("i", event.MaxAttribute),
		Source: " padded ", ContentType: "x", Except: "\u2028", Time: time.Unix(1, 1).UTC(), Data: []byte("1"),
	}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	if got := event.FromMessage("all", e.Header(), e.Data, time.Now()); !reflect.DeepEqual(got, e) {
		t.Errorf("got  %+v\nwant %+v", got, e)
	}
}
