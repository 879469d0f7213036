package route_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/services/notifier/route"
	"tidings/shared/httpx"
)

func TestParseNotification(t *testing.T) {
	t.Parallel()
	n, err := route.ParseNotification([]byte(`{
		"to":["ann",{"user":"b@x.y","email":"bob@exämple.com","phone":"+4930123456","name":"Bob","locale":"de-AT","tz":"Asia/Kathmandu"},{"topic":"room.ops"}],
		"category":"orders.late","title":"Late ☂","body":"one\n\ttwo","template":"late","data":{"n": 1},"severity":"high",
		"actions":[{"id":"see","label":"See","url":"/orders/7?x=1"},{"label":"Pay","url":"https://pay.example/7"}],
		"collapse":"order 7","at":"2026-01-11T00:00:00+01:00","expires":"2026-01-12T00:00:00Z","id":"o-7"}`), noon())
	if err != nil {
		t.Fatal(err)
	}
	if len(n.To) != 3 || n.To[0].User != "ann" || n.To[1].TZ != "Asia/Kathmandu" || n.To[2].Topic != "room.ops" || n.Severity != route.High ||
		string(n.Data) != `{"n":1}` || !n.At.Equal(night()) || len(n.Actions) != 2 {
		t.Errorf("read as %+v", n)
	}
	n, err = route.ParseNotification([]byte(`{"to":["ann"],"title":"x"}`), noon())
	if err != nil || n.Severity != route.Normal {
		t.Errorf("the least is %+v, %v", n, err)
	}
}

func TestParseNotificationRefuses(t *testing.T) {
	t.Parallel()
	to := func(s string) string { return `{"title":"x","to":` + s + `}` }
	with := func(s string) string { return `{"to":["ann"],"title":"x",` + s + `}` }
	long := strings.Repeat("x", 40_000)
	for _, c := range []struct{ name, in, code, param string }{
		{"nothing", ``, httpx.CodeEmptyBody, ""},
		{"broken", `{`, httpx.CodeBadJSON, ""},
		{"a list", `[]`, httpx.CodeBadField, ""},
		{"unknown field", with(`"titel":"x"`), httpx.CodeUnknownField, "titel"},
		{"wrong type", with(`"body":1`), httpx.CodeBadField, "body"},
		{"huge", with(`"body":"` + strings.Repeat(long, 14) + `"`), route.CodeTooLong, ""},
		{"nobody", to(`[]`), route.CodeMissing, "to"},
		{"no to", `{"title":"x"}`, route.CodeMissing, "to"},
		{"empty user", to(`[""]`), route.CodeBadRecipient, "to[0]"},
		{"number", to(`["ann",7]`), route.CodeBadRecipient, "to[1]"},
		{"null", to(`[null]`), route.CodeBadRecipient, "to[0]"},
		{"empty object", to(`[{}]`), route.CodeBadRecipient, "to[0]"},
		{"both", to(`[{"user":"a","topic":"room.a"}]`), route.CodeBadRecipient, "to[0]"},
		{"bad topic", to(`[{"topic":"rooms.a"}]`), route.CodeBadRecipient, "to[0].topic"},
		{"pattern", to(`[{"topic":"room.*"}]`), route.CodeBadRecipient, "to[0].topic"},
		{"twice", to(`["ann","bob",{"user":"ann","email":"a@b.c"}]`), route.CodeDuplicate, "to[2]"},
		{"unknown field of a recipient", to(`[{"user":"a","mail":"a@b.c"}]`), httpx.CodeUnknownField, "to[0].mail"},
		{"wrong type in a recipient", to(`[{"user":"a","email":1}]`), httpx.CodeBadField, "to[0].email"},
		{"long user", to(`["` + strings.Repeat("@", 90) + `"]`), route.CodeTooLong, "to[0]"},
		{"user with a line break", to(`["a\nb"]`), route.CodeBadCharacter, "to[0]"},
		{"bad email", to(`[{"user":"a","email":"ann"}]`), route.CodeBadEmail, "to[0].email"},
		{"email with a header", to(`[{"user":"a","email":"a@b.c\r\nBcc: x@y.z"}]`), route.CodeBadEmail, "to[0].email"},
		{"two emails", to(`[{"user":"a","email":"a@b.c,x@y.z"}]`), route.CodeBadEmail, "to[0].email"},
		{"email with a name", to(`[{"user":"a","email":"Ann <a@b.c>"}]`), route.CodeBadEmail, "to[0].email"},
		{"email at an address", to(`[{"user":"a","email":"a@[127.0.0.1]"}]`), route.CodeBadEmail, "to[0].email"},
		{"bad phone", to(`[{"user":"a","phone":"030 123"}]`), route.CodeBadPhone, "to[0].phone"},
		{"name with a header", to(`[{"user":"a","name":"Ann\nBcc: x@y.z"}]`), route.CodeBadCharacter, "to[0].name"},
		{"bad locale", to(`[{"user":"a","locale":"d"}]`), route.CodeBadLocale, "to[0].locale"},
		{"bad zone", to(`[{"user":"a","tz":"Mars/Olympus"}]`), route.CodeBadZone, "to[0].tz"},
		{"zone of a path", to(`[{"user":"a","tz":"../../etc/passwd"}]`), route.CodeBadZone, "to[0].tz"},
		{"too many", to(`["x"` + strings.Repeat(`,"x"`, route.MaxRecipients) + `]`), route.CodeTooMany, "to"},
		{"no title", `{"to":["ann"],"title":" "}`, route.CodeMissing, "title"},
		{"title with a header", `{"to":["ann"],"title":"x\r\nBcc: x@y.z"}`, route.CodeBadCharacter, "title"},
		{"title with a separator", `{"to":["ann"],"title":"x\u2028y"}`, route.CodeBadCharacter, "title"},
		{"title that overrides the direction", `{"to":["ann"],"title":"x\u202egpj.exe"}`, route.CodeBadCharacter, "title"},
		{"label that isolates", with(`"actions":[{"label":"\u2066x","url":"/"}]`), route.CodeBadCharacter, "actions[0].label"},
		{"user that embeds", to(`["a\u202ab"]`), route.CodeBadCharacter, "to[0]"},
		{"name that ends it", to(`[{"user":"a","name":"Ann\u2069"}]`), route.CodeBadCharacter, "to[0].name"},
		{"collapse that overrides", with(`"collapse":"\u202d"`), route.CodeBadCharacter, "collapse"},
		{"another case", with(`"Title":"y"`), httpx.CodeUnknownField, "Title"},
		{"title twice", with(`"title":"y"`), httpx.CodeDuplicateField, "title"},
		{"another case in a recipient", to(`[{"user":"a","Email":"a@b.c"}]`), httpx.CodeUnknownField, "to[0].Email"},
		{"twice in a recipient", to(`[{"user":"a","user":"b"}]`), httpx.CodeDuplicateField, "user"},
		{"snowman", to(`[{"user":"a","email":"☃@example.com"}]`), route.CodeBadEmail, "to[0].email"},
		{"long title", `{"to":["ann"],"title":"` + long + `"}`, route.CodeTooLong, "title"},
		{"long body", with(`"body":"` + long + `"`), route.CodeTooLong, "body"},
		{"body with a bell", with(`"body":"\u0007"`), route.CodeBadCharacter, "body"},
		{"category with a header", with(`"category":"a\nb"`), route.CodeBadName, "category"},
		{"template of a path", with(`"template":"../x"`), route.CodeBadName, "template"},
		{"data is a list", with(`"data":[]`), route.CodeBadValue, "data"},
		{"long data", with(`"data":{"x":"` + long + long + `"}`), route.CodeTooLong, "data"},
		{"severity", with(`"severity":"urgent"`), route.CodeBadValue, "severity"},
		{"five actions", with(`"actions":[{},{},{},{},{}]`), route.CodeTooMany, "actions"},
		{"action without label", with(`"actions":[{"url":"/x"}]`), route.CodeMissing, "actions[0].label"},
		{"action without url", with(`"actions":[{"label":"x"}]`), route.CodeMissing, "actions[0].url"},
		{"script", with(`"actions":[{"label":"x","url":"javascript:alert(1)"}]`), route.CodeBadURL, "actions[0].url"},
		{"plain http", with(`"actions":[{"label":"x","url":"http://a.b/"}]`), route.CodeBadURL, "actions[0].url"},
		{"another host", with(`"actions":[{"label":"x","url":"//a.b/"}]`), route.CodeBadURL, "actions[0].url"},
		{"another host by backslash", with(`"actions":[{"label":"x","url":"/\\a.b/"}]`), route.CodeBadURL, "actions[0].url"},
		{"password", with(`"actions":[{"label":"x","url":"https://u:p@a.b/"}]`), route.CodeBadURL, "actions[0].url"},
		{"action id", with(`"actions":[{"id":"A B","label":"x","url":"/"}]`), route.CodeBadName, "actions[0].id"},
		{"collapse", with(`"collapse":"a\u0000"`), route.CodeBadCharacter, "collapse"},
		{"id", with(`"id":"a b"`), route.CodeBadCharacter, "id"},
		{"long id", with(`"id":"` + strings.Repeat("x", 129) + `"`), route.CodeTooLong, "id"},
		{"no time", with(`"at":"tomorrow"`), route.CodeBadTime, "at"},
		{"far away", with(`"at":"2126-01-01T00:00:00Z"`), route.CodeBadTime, "at"},
		{"expired", with(`"expires":"2026-01-10T12:00:00Z"`), route.CodeExpired, "expires"},
		{"expires before at", with(`"at":"2026-01-11T00:00:00Z","expires":"2026-01-10T13:00:00Z"`), route.CodeExpired, "expires"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := route.ParseNotification([]byte(c.in), noon())
			checkProblem(t, err, c.code, c.param)
		})
	}
}

// TestDirections has names and titles of scripts from right to left, with their marks,
// and a body that turns.
func TestDirections(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`{"to":[{"user":"dana","name":"דנה"}],"title":"שלום (1)\u200f!"}`,
		`{"to":["ann"],"title":"\u061c\u200e3 رسائل","body":"\u202bx\u202c\n\u2067y\u2069"}`,
	} {
		if _, err := route.ParseNotification([]byte(in), noon()); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// checkProblem holds what the caller of an API would be shown.
func checkProblem(t *testing.T, err error, code, param string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	p := httpx.ProblemOf(err, nil)
	if p.Code != code || p.Param != param || p.Status < 400 || p.Status > 499 || p.Detail == "" {
		t.Errorf("%d %s at %q: %s; want %s at %q", p.Status, p.Code, p.Param, p.Detail, code, param)
	}
	if strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 4096 {
		t.Errorf("the error is no line: %q", err)
	}
}

// TestEveryFault shows that all faults are named at once, up to a bound.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	_, err := route.ParseNotification([]byte(`{"to":["ann",{"user":"b","email":"x"},"ann",{"user":"c","tz":"X/Y","phone":"1"}],"severity":"x"}`), noon())
	f, ok := errors.AsType[*route.FaultsError](err)
	if !ok {
		t.Fatal(err)
	}
	var got []string
	for _, x := range f.Faults {
		got = append(got, x.Param+" "+x.Code)
	}
	want := "to[1].email bad_email, to[2] duplicate, to[3].phone bad_phone, to[3].tz bad_time_zone, title missing_field, severity bad_value"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	checkProblem(t, err, route.CodeManyFaults, "")

	var list []string
	for i := range 100 {
		list = append(list, `{"user":"u`+strconv.Itoa(i)+`","email":"x"}`)
	}
	_, err = route.ParseNotification([]byte(`{"title":"x","to":[`+strings.Join(list, ",")+`]}`), noon())
	if f, ok := errors.AsType[*route.FaultsError](err); !ok || len(f.Faults)+f.Omitted != 100 || f.Omitted == 0 {
		t.Errorf("%v", err)
	}
	checkProblem(t, err, route.CodeManyFaults, "")
}

func TestParsePerson(t *testing.T) {
	t.Parallel()
	p, err := route.ParsePerson([]byte(`{"email":"ann@example.com","tz":"Europe/Berlin"}`), "ann")
	if err != nil || p.User != "ann" || p.Check() != nil {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = route.ParsePerson([]byte(`{"user":"bob"}`), "ann")
	checkProblem(t, err, route.CodeBadValue, "user")
	_, err = route.ParsePerson([]byte(`{}`), "")
	checkProblem(t, err, route.CodeMissing, "user")
	_, err = route.ParsePerson([]byte(`{"name":"`+strings.Repeat("x", 5000)+`"}`), "ann")
	checkProblem(t, err, route.CodeTooLong, "")
	both := p.With(route.Person{Email: "other@example.com", Name: "Ann"})
	if both.Email != "other@example.com" || both.Name != "Ann" || both.TZ != "Europe/Berlin" || both.User != "ann" {
		t.Errorf("%+v", both)
	}
}

// FuzzParseNotification holds that whatever is accepted is safe in headers and can be
// stored and read back.
func FuzzParseNotification(f *testing.F) {
	f.Add([]byte(`{"to":["ann",{"user":"b","email":"b@x.y","tz":"Europe/Berlin"},{"topic":"room.a"}],"title":"x","at":"2026-01-11T00:00:00Z"}`))
	f.Add([]byte(`{"to":[{"user":"a","name":"x\r\ny"}],"template":"t","data":{"a":"<\u2028>"},"actions":[{"label":"x","url":"https://a.b/c"}]}`))
	f.Add([]byte(`{"to":[null,1,"",[]],"severity":"critical","expires":"0001-01-01T00:00:00+23:59","collapse":"\ud800"}`))
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := route.ParseNotification(data, now)
		if err != nil {
			if p := httpx.ProblemOf(err, nil); p.Status < 400 || p.Status > 499 {
				t.Fatalf("%d: %v", p.Status, err)
			}
			return
		}
		for _, to := range n.To {
			if strings.ContainsAny(to.Name+to.Email+to.Phone+to.Locale+to.User, "\r\n\x00") {
				t.Fatalf("%+v can forge headers", to)
			}
		}
		if strings.ContainsAny(n.Title+n.Category+n.Template+n.ID+n.Collapse, "\r\n\x00") {
			t.Fatalf("%+v can forge headers", n)
		}
		stored := text(t, n)
		var back route.Notification
		if err := json.Unmarshal([]byte(stored[1:len(stored)-1]), &back); err != nil || text(t, back) != stored {
			t.Fatalf("%s came back as %s, %v", stored, text(t, back), err)
		}
		out, _ := route.Route(n, n.To[0].Person, route.Preferences{}, route.DefaultCategories(), route.Facts{}, now)
		checkDeliveriesOf(t, n.To[0], out)
	})
}

// checkDeliveriesOf is checkDeliveries for whatever the first recipient is: a topic
// has no user, and the caller would have found its people first.
func checkDeliveriesOf(t *testing.T, to route.Recipient, out []route.Delivery) {
	t.Helper()
	if to.Topic == "" {
		checkDeliveries(t, out)
	}
}
