package edge_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/services/edge"
	"tidings/services/edge/websocket/websockettest"
	"tidings/shared/auth"
)

// TestCommands gives every command of a WebSocket, right and wrong.
func TestCommands(t *testing.T) {
	t.Parallel()
	a, b := pair(t, func(c *edge.Config) { c.Topics = 5 })
	for _, c := range []struct {
		name string
		test func(*testing.T, way)
	}{
		{"topics", testCommandTopics},
		{"publish", testCommandPublish},
		{"token", testCommandToken},
		{"refused", testCommandsRefused},
		{"pipelined", testCommandsPipelined},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			waysOf(t, a, b, c.test)
		})
	}
}

func testCommandTopics(t *testing.T, w way) {
	one, two := string(w.room("one")), string(w.room("two"))
	s := w.dial("topics=" + one)
	s.until("tidings.live")
	for _, c := range []struct {
		command string
		topics  []string
	}{
		{`"do":"subscribe","topics":["` + two + `","user"]`, []string{one, two, "user.ann"}},
		{`"do":"subscribe","topics":["` + two + `","` + two + `"]`, []string{one, two, "user.ann"}},
		{`"do":"unsubscribe","topics":["user","room.never"]`, []string{one, two}},
		{`"do":"unsubscribe","topics":["` + one + `","` + two + `"]`, []string{}},
		{`"do":"subscribe","topics":["` + two + `"]`, []string{two}},
	} {
		at := s.at
		r := s.do(c.command)
		if !r.OK || r.Topics == nil || !slices.Equal(r.Topics, c.topics) || r.Conn != s.hello.Conn || r.Cursor == "" {
			t.Errorf("%s: %s", c.command, r.text)
		}
		if s.at != at {
			t.Error("an answer moved the cursor")
		}
	}
	w.put(w.room("one"), 0, 1)
	w.put(w.room("two"), 1, 2)
	if got := s.numbers(1); got[0] != two+":1" {
		t.Errorf("got %v", got)
	}
	if r := s.do(`"do":"ping"`); r.text != `{"re":7,"ok":true}` {
		t.Errorf("ping: %s", r.text)
	}
	s.say(`{"id":"a <string>","do":"ping"}`)
	if r := s.answer(); r.text != `{"re":"a <string>","ok":true}` {
		t.Errorf("ping: %s", r.text)
	}
	if w.deflate { // a compressed command
		if err := s.WriteFrame(websockettest.Text, true, true, deflated(t, `{"id":1,"do":"ping"}`)); err != nil {
			t.Fatal(err)
		}
		if r := s.answer(); r.text != `{"re":1,"ok":true}` {
			t.Errorf("a compressed ping: %s", r.text)
		}
	}
}

func testCommandPublish(t *testing.T, w way) {
	r := string(w.room("publish"))
	s := w.dial("topics=" + r)
	on := w.other.open("topics=" + r)
	on.until("tidings.live")
	first := s.do(`"do":"publish","topic":"` + r + `","type":"chat","event_id":"m1","data":{"text":"hi\n"},"except":"` + s.hello.Conn + `"`)
	if !first.OK || first.Seq == 0 || !strings.HasSuffix(first.Cursor, "-"+strconv.FormatUint(first.Seq, 10)) || !strings.Contains(first.text, `"duplicate":false`) {
		t.Fatalf("publish: %s", first.text)
	}
	again := s.do(`"do":"publish","topic":"` + r + `","type":"chat","event_id":"m1","data":{"text":"hi\n"}`)
	if again.Cursor != first.Cursor || !strings.Contains(again.text, `"duplicate":true`) {
		t.Errorf("a repeated publish: %s", again.text)
	}
	e := on.until("chat").event(t)
	if e.Source != "user.ann" || e.ID != "m1" || string(e.Data) != `{"text":"hi\n"}` {
		t.Errorf("event = %+v", e)
	}
	if r := s.do(`"do":"publish","topic":"` + r + `"`); !r.OK {
		t.Errorf("publish without data: %s", r.text)
	}
	if e := on.until("message").event(t); string(e.Data) != "null" {
		t.Errorf("event = %+v", e)
	}
	if o := s.until("message"); o.Source != "user.ann" { // and no chat before it
		t.Errorf("the publisher got %s", o.text)
	}
	for _, o := range s.kept {
		t.Errorf("left over: %s", o.text)
	}
}

func testCommandToken(t *testing.T, w way) {
	r := string(w.room("token"))
	s := w.dialAs(tokenOf(t, auth.Claims{User: "ann", Sub: []string{r}, TTL: time.Minute}), "topics="+r)
	if a := s.do(`"do":"publish","topic":"` + r + `","data":1`); a.OK || a.Error["code"] != "publish_denied" {
		t.Errorf("publish without a grant: %s", a.text)
	}
	better := tokenOf(t, auth.Claims{User: "ann", Sub: []string{"room.>"}, Pub: []string{r}, TTL: time.Hour})
	a := s.do(`"do":"token","token":"` + better + `"`)
	var state struct{ Expires time.Time }
	decode(t, a.text, &state)
	if left := time.Until(state.Expires); !a.OK || left < 50*time.Minute || left > time.Hour || a.Conn != s.hello.Conn {
		t.Errorf("token: %s", a.text)
	}
	// From the next command on the new token counts.
	if a := s.do(`"do":"publish","topic":"` + r + `","data":1`); !a.OK {
		t.Errorf("publish with a new grant: %s", a.text)
	}
	if a := s.do(`"do":"subscribe","topics":["room.other"]`); !a.OK {
		t.Errorf("subscribe with a new grant: %s", a.text)
	}
	for name, c := range map[string]struct {
		token string
		code  string
	}{
		"garbage":          {"x.y.z", ""},
		"none":             {"", "token_missing"},
		"another user's":   {tokenOf(t, auth.Claims{User: "bob", Sub: []string{"room.>"}, TTL: time.Hour}), "connection_unknown"},
		"one that is less": {tokenOf(t, auth.Claims{User: "ann", Sub: []string{r}, TTL: time.Hour}), "topic_denied"},
	} {
		a := s.do(`"do":"token","token":"` + c.token + `"`)
		if a.OK || a.Error["code"] == nil || c.code != "" && a.Error["code"] != c.code && (name != "none" || a.Error["status"] != 401.0) {
			t.Errorf("%s: %s", name, a.text)
		}
		if strings.Contains(a.text, c.token) && c.token != "" {
			t.Errorf("%s: the answer has the token", name)
		}
	}
	if a := s.do(`"do":"publish","topic":"` + r + `","data":1`); !a.OK {
		t.Errorf("a refused token took something: %s", a.text)
	}
}

func testCommandsRefused(t *testing.T, w way) {
	tok := tokenOf(t, auth.Claims{User: "ann", Sub: []string{"room.mine.*"}, Pub: []string{"room.mine.*"}, TTL: time.Hour})
	s := w.dialAs(tok, "topics=room.mine.0")
	s.until("tidings.live")
	six := `["room.mine.1","room.mine.2","room.mine.3","room.mine.4","room.mine.5"]`
	for _, c := range []struct{ message, re, code, param string }{
		{`nonsense`, "null", "bad_command", ""},
		{``, "null", "bad_command", ""},
		{`[]`, "null", "bad_command", ""},
		{`"ping"`, "null", "bad_command", ""},
		{`{"id":1,"do":"ping"`, "null", "bad_command", ""},
		{`{"id":1,"do":"ping"}{}`, "null", "bad_command", ""},
		{`{"do":"fly"}`, "null", "unknown_command", "do"},
		{`{"id":1}`, "1", "unknown_command", "do"},
		{`{"id":7,"do":5}`, "7", "bad_command", "do"},
		{`{"id":-2.5e3,"do":"Ping "}`, "-2.5e3", "unknown_command", "do"},
		{`{"id":{},"do":"ping"}`, "null", "bad_command", "id"},
		{`{"id":[1],"do":"ping"}`, "null", "bad_command", "id"},
		{`{"id":true,"do":"ping"}`, "null", "bad_command", "id"},
		{`{"id":"` + strings.Repeat("x", 63) + `","do":"ping"}`, "null", "bad_command", "id"},
		{`{"id":1,"do":"ping","x":1}`, "1", "unknown_field", "x"},
		{`{"id":1,"do":"ping","topics":[]}`, "1", "unknown_field", "topics"},
		{`{"id":1,"do":"subscribe","topic":"user"}`, "1", "unknown_field", "topic"},
		{`{"id":1,"do":"subscribe","topics":"user"}`, "1", "bad_field", "topics"},
		{`{"id":1,"do":"subscribe"}`, "1", "no_topics", "topics"},
		{`{"id":1,"do":"unsubscribe","topics":[]}`, "1", "no_topics", "topics"},
		{`{"id":1,"do":"subscribe","topics":["lobby"]}`, "1", "bad_topic", "topics"},
		{`{"id":1,"do":"unsubscribe","topics":["lobby"]}`, "1", "bad_topic", "topics"},
		{`{"id":1,"do":"subscribe","topics":["room.other"]}`, "1", "topic_denied", "topics"},
		{`{"id":1,"do":"subscribe","topics":["room.mine.1","room.>"]}`, "1", "topic_denied", "topics"},
		{`{"id":1,"do":"subscribe","topics":` + six + `}`, "1", "too_many_topics", "topics"},
		{`{"id":1,"do":"subscribe","topics":["user","all",` + six[1:] + `}`, "1", "too_many_topics", "topics"},
		{`{"id":1,"do":"publish","topic":"room.other","data":1}`, "1", "publish_denied", "topic"},
		{`{"id":1,"do":"publish","topic":"room.mine.*","data":1}`, "1", "bad_topic", "topic"},
		{`{"id":1,"do":"publish","data":1}`, "1", "bad_topic", "topic"},
		{`{"id":1,"do":"publish","topic":"room.mine.1","type":"tidings.bye"}`, "1", "bad_event", "type"},
		{`{"id":1,"do":"publish","topic":"room.mine.1","type":"a\nb"}`, "1", "bad_event", "type"},
		{`{"id":1,"do":"publish","topic":"room.mine.1","ephemeral":true,"data":"` + strings.Repeat("x", 20<<10) + `"}`, "1", "too_large", "data"},
		{`{"id":1,"do":"publish","topic":"room.mine.1","conn":"x"}`, "1", "unknown_field", "conn"},
		{`{"id":1,"do":"token","conn":"` + s.hello.Conn + `","token":"` + tok + `"}`, "1", "unknown_field", "conn"},
		{`{"id":1,"do":"publish","topic":"room.mine.1","data":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}`, "1", "bad_json", ""},
	} {
		s.say(c.message)
		a := s.answer()
		if param, _ := a.Error["param"].(string); a.OK || string(a.Re) != c.re || a.Error["code"] != c.code || param != c.param {
			t.Errorf("%.100s: got %s, want %s of %q", c.message, a.text, c.code, c.param)
		}
		if a.Error["detail"] == "" || a.Error["status"] == nil {
			t.Errorf("%.100s: the problem says too little: %s", c.message, a.text)
		}
	}
	w.put("room.mine.0", 1, 2)
	if got := s.numbers(1); got[0] != "room.mine.0:1" {
		t.Errorf("after many refusals: %v", got)
	}
}

// testCommandsPipelined writes more commands at once than may wait, with events in
// between.
func testCommandsPipelined(t *testing.T, w way) {
	const count = 100
	r := string(w.room("pipelined"))
	s := w.dial("topics=" + r)
	var all []byte
	for i := range count {
		text := fmt.Sprintf(`{"id":%d,"do":"ping"}`, i)
		switch i % 4 {
		case 1:
			text = fmt.Sprintf(`{"id":%d,"do":"publish","topic":%q,"type":"n","data":%d}`, i, r, i)
		case 2:
			text = fmt.Sprintf(`{"id":%d,"do":"subscribe","topics":["%s.%d"]}`, i, r, i)
		case 3:
			text = fmt.Sprintf(`{"id":%d,"do":"unsubscribe","topics":["%s.%d"]}`, i, r, i-1)
		}
		all = websockettest.AppendFrame(all, websockettest.Text, true, false, [4]byte{byte(i), 2, 3, 4}, []byte(text))
	}
	if _, err := s.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		if a := s.answer(); string(a.Re) != strconv.Itoa(i) || !a.OK {
			t.Fatalf("answer %d is %s", i, a.text)
		}
	}
	var want []string
	for i := 1; i < count; i += 4 {
		want = append(want, r+":"+strconv.Itoa(i))
	}
	same(t, "events", s.numbers(len(want)), want)
	if a := s.do(`"do":"ping"`); !a.OK || len(s.kept) > 0 {
		t.Errorf("afterwards: %s and %v", a.text, s.kept)
	}
}
