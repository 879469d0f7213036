package notice_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"tidings/shared/notice"
)

// full returns a message in which every field is set.
func full() notice.Message {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	return notice.Message{
		Notification: "n1", Category: "orders", Severity: "high", Title: "Shipped", Body: "Your order\nis <on> its way",
		Template: "order_shipped", Data: json.RawMessage(`{"order":"A-1","total":12.50,"big":12345678901234567890}`),
		Actions:  []notice.Action{{ID: "track", Label: "Track", URL: "/orders/1"}},
		Collapse: "order-1",
		Person: notice.Person{
			User: "ann", Name: "Ann Ö.", Email: "ann@example.com", Phone: "+4366012345", Locale: "de-AT", TZ: "Europe/Vienna",
		},
		Items: []notice.Item{{Notification: "n0", Title: "One", Body: "two", URL: "/x", At: at}},
		At:    at, Transactional: true, Duplicates: true,
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]notice.Message{
		"full":  full(),
		"least": {Notification: "n", Person: notice.Person{User: "u"}},
	} {
		payload, err := m.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := notice.Parse(payload)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, m)
		}
	}
}

// TestNames keeps the JSON names, which other versions read.
func TestNames(t *testing.T) {
	t.Parallel()
	payload, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"notification":"n1","category":"orders","severity":"high","title":"Shipped",` +
		`"body":"Your order\nis <on> its way","template":"order_shipped",` +
		`"data":{"order":"A-1","total":12.50,"big":12345678901234567890},` +
		`"actions":[{"id":"track","label":"Track","url":"/orders/1"}],"collapse":"order-1",` +
		`"person":{"user":"ann","name":"Ann Ö.","email":"ann@example.com","phone":"+4366012345","locale":"de-AT","tz":"Europe/Vienna"},` +
		`"items":[{"notification":"n0","title":"One","body":"two","url":"/x","at":"2026-11-23T08:00:00Z"}],` +
		`"at":"2026-11-23T08:00:00Z","transactional":true,"duplicates":true}`
	if string(payload) != want {
		t.Errorf("got  %s\nwant %s", payload, want)
	}
	least, err := notice.Message{Notification: "n", Person: notice.Person{User: "u"}}.Encode()
	if want := `{"notification":"n","person":{"user":"u"}}`; err != nil || string(least) != want {
		t.Errorf("got %s, %v; want %s", least, err, want)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n+1) }
	for name, tc := range map[string]struct {
		spoil func(*notice.Message)
		says  string
	}{
		"no notification":   {func(m *notice.Message) { m.Notification = "" }, "notification is needed"},
		"no user":           {func(m *notice.Message) { m.Person.User = "" }, "person.user is needed"},
		"long title":        {func(m *notice.Message) { m.Title = long(notice.MaxTitle) }, "title is over 512 bytes"},
		"title of lines":    {func(m *notice.Message) { m.Title = "a\r\nBcc: b@example.com" }, "title must be one line"},
		"a line separator":  {func(m *notice.Message) { m.Title = "a\u2028b" }, "title must be one line"},
		"long body":         {func(m *notice.Message) { m.Body = long(notice.MaxBody) }, "body is over"},
		"zero in body":      {func(m *notice.Message) { m.Body = "a\x00" }, "body holds a zero byte"},
		"broken body":       {func(m *notice.Message) { m.Body = "a\xff" }, "body is no valid UTF-8"},
		"long address":      {func(m *notice.Message) { m.Person.Email = long(notice.MaxEmail) }, "person.email is over"},
		"two addresses":     {func(m *notice.Message) { m.Person.Email = "a@b\nc@d" }, "person.email must be one line"},
		"long phone":        {func(m *notice.Message) { m.Person.Phone = long(notice.MaxPhone) }, "person.phone is over"},
		"long locale":       {func(m *notice.Message) { m.Person.Locale = long(notice.MaxLocale) }, "person.locale is over"},
		"long time zone":    {func(m *notice.Message) { m.Person.TZ = long(notice.MaxTZ) }, "person.tz is over"},
		"many actions":      {func(m *notice.Message) { m.Actions = make([]notice.Action, notice.MaxActions+1) }, "actions has 5 entries"},
		"long link":         {func(m *notice.Message) { m.Actions[0].URL = long(notice.MaxURL) }, "actions[0].url is over"},
		"many items":        {func(m *notice.Message) { m.Items = make([]notice.Item, notice.MaxItems+1) }, "items has 501 entries"},
		"an item's link":    {func(m *notice.Message) { m.Items[0].URL = "/a\nb" }, "items[0].url must be one line"},
		"long data":         {func(m *notice.Message) { m.Data = json.RawMessage(`{"a":"` + long(notice.MaxData) + `"}`) }, "data is over"},
		"data is a list":    {func(m *notice.Message) { m.Data = json.RawMessage(`[1]`) }, "data must be an object"},
		"data is half":      {func(m *notice.Message) { m.Data = json.RawMessage(`{"a":`) }, "data must be an object"},
		"long notification": {func(m *notice.Message) { m.Notification = long(notice.MaxName) }, "notification is over"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := full()
			tc.spoil(&m)
			for _, err := range []error{m.Check(), second(m.Encode())} {
				if !errors.Is(err, notice.ErrMessage) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("got %v, want one that says %q", err, tc.says)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// TestPayloadIsBounded has a message whose parts are all within bounds.
func TestPayloadIsBounded(t *testing.T) {
	t.Parallel()
	m := full()
	for range 9 {
		m.Items = append(m.Items, notice.Item{Body: strings.Repeat("x", notice.MaxBody)})
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Encode(); !errors.Is(err, notice.ErrMessage) {
		t.Errorf("got %v, want ErrMessage", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const least = `{"notification":"n","person":{"user":"u"}`
	for name, tc := range map[string]struct {
		payload string
		ok      bool
	}{
		"least":           {least + `}`, true},
		"space around":    {"\n " + least + "} \n", true},
		"a newer field":   {least + `,"tone":"kind"}`, true},
		"null data":       {least + `,"data":null}`, true},
		"empty":           {``, false},
		"null":            {`null`, false},
		"a list":          {`[]`, false},
		"something after": {least + `} {}`, false},
		"half":            {least, false},
		"a number's type": {least + `,"title":1}`, false},
		"a broken time":   {least + `,"at":"yesterday"}`, false},
		"too large":       {strings.Repeat(" ", notice.MaxPayload) + least + `}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := notice.Parse([]byte(tc.payload))
			if tc.ok != (err == nil) || err != nil && !errors.Is(err, notice.ErrMessage) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// FuzzParse looks for a payload that is read and then written differently.
func FuzzParse(f *testing.F) {
	payload, err := full().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(payload))
	f.Add([]byte(`{"notification":"n","person":{"user":"u"},"data":{"a":[1,{"b":null}]},"at":"0001-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"notification":"\ud800","person":{"user":"\u2028"}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := notice.Parse(payload)
		if err != nil {
			if !errors.Is(err, notice.ErrMessage) {
				t.Fatalf("got %v, want ErrMessage", err)
			}
			return
		}
		once, err := m.Encode()
		if err != nil {
			return // within bounds as it came, and not as it would be written
		}
		again, err := notice.Parse(once)
		if err != nil {
			t.Fatalf("%s was written and is not read: %v", once, err)
		}
		twice, err := again.Encode()
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s (%v)", once, twice, err)
		}
	})
}
