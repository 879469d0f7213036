package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"tidings/services/edge/connection"
	"tidings/shared/httpx"
)

// maxCommandID bounds the id of a command, as it is written in JSON.
const maxCommandID = 64

// The commands that the client of a WebSocket can give.
const (
	doSubscribe   = "subscribe"
	doUnsubscribe = "unsubscribe"
	doPublish     = "publish"
	doToken       = "token"
	doPing        = "ping"
)

// command is what all commands have: {"id":1,"do":"…",…}. The id is the client's own.
type command struct {
	ID json.RawMessage `json:"id"`
	Do string          `json:"do"`
}

// topicsCommand subscribes and unsubscribes.
type topicsCommand struct {
	command
	Topics []string `json:"topics"`
}

// publishCommand is POST /v1/publish as a command. The event's own id is called
// event_id, because id is the command's.
type publishCommand struct {
	command
	EventID string `json:"event_id"`
	publishFields
}

// tokenCommand renews the connection's token.
type tokenCommand struct {
	command
	Token string `json:"token"`
}

// command answers a command: {"re":1,"ok":true,…} or {"re":1,"ok":false,"error":{…}}.
// An answer moves no cursor, even where it names one.
func (e *Edge) command(ctx context.Context, from connection.Caller, message []byte) []byte {
	id, do, err := commandHead(message)
	if err == nil {
		var result any
		if result, err = e.carryOut(ctx, from, do, message); err == nil {
			e.metrics.commands.WithLabelValues(do, "ok").Inc()
			return answer(id, true, result)
		}
	}
	p := httpx.ProblemOf(err, nil)
	if p.Status >= http.StatusInternalServerError && ctx.Err() == nil {
		e.log.Warn("a command failed", "do", do, "err", err)
	}
	e.metrics.commands.WithLabelValues(knownCommand(do), p.Code).Inc()
	return answer(id, false, map[string]any{"error": p})
}

// commandHead reads what all commands have. The id is known even if the rest is none.
func commandHead(message []byte) (id json.RawMessage, do string, err error) {
	var head struct {
		ID json.RawMessage `json:"id"`
		Do json.RawMessage `json:"do"`
	}
	fault := httpx.Bad("", "bad_command", "The message is not a command.").
		WithHint(`For example {"id":1,"do":"subscribe","topics":["room.ops"]}.`)
	if json.Unmarshal(message, &head) != nil {
		return json.RawMessage("null"), "", fault
	}
	if id, err = commandID(head.ID); err != nil {
		return id, "", err
	}
	if len(head.Do) > 0 && json.Unmarshal(head.Do, &do) != nil {
		return id, "", fault.WithParam("do")
	}
	return id, do, nil
}

// knownCommand keeps names that clients make up out of the metrics.
func knownCommand(name string) string {
	switch name {
	case doSubscribe, doUnsubscribe, doPublish, doToken, doPing:
		return name
	}
	return "unknown"
}

// commandID checks the client's name for a command: a number or a string.
func commandID(id json.RawMessage) (json.RawMessage, error) {
	null := json.RawMessage("null")
	switch {
	case len(id) == 0 || bytes.Equal(id, null):
		return null, nil
	case len(id) > maxCommandID || id[0] == '{' || id[0] == '[' || id[0] == 't' || id[0] == 'f':
		return null, httpx.Bad("id", "bad_command", "The id of a command is a number or a short string.")
	}
	return id, nil
}

// answer makes the answer to a command, with the fields of an object.
func answer(id json.RawMessage, ok bool, fields any) []byte {
	out := strconv.AppendBool(append(append([]byte(`{"re":`), id...), `,"ok":`...), ok)
	body, err := json.Marshal(fields)
	if err != nil || len(body) <= len("{}") { // the first is unreachable: what is answered always encodes
		return append(out, '}')
	}
	return append(append(out, ','), body[1:]...)
}

// carryOut does what a command wants.
func (e *Edge) carryOut(ctx context.Context, from connection.Caller, do string, message []byte) (any, error) {
	switch do {
	case doSubscribe, doUnsubscribe:
		return e.commandTopics(ctx, from, message)
	case doPublish:
		var cmd publishCommand
		if err := httpx.DecodeJSON(bytes.NewReader(message), &cmd); err != nil {
			return nil, err
		}
		return e.put(ctx, from.Grant, publishBody{ID: cmd.EventID, publishFields: cmd.publishFields}, "")
	case doToken:
		return e.commandToken(ctx, from, message)
	case doPing:
		var cmd command
		return struct{}{}, httpx.DecodeJSON(bytes.NewReader(message), &cmd)
	}
	return nil, httpx.Bad("do", "unknown_command", "There is no such command.").
		WithHint("There are subscribe, unsubscribe, publish, token and ping.")
}

// commandTopics subscribes and unsubscribes.
func (e *Edge) commandTopics(ctx context.Context, from connection.Caller, message []byte) (any, error) {
	var cmd topicsCommand
	if err := httpx.DecodeJSON(bytes.NewReader(message), &cmd); err != nil {
		return nil, err
	}
	add, remove := wish{param: "topics", topics: cmd.Topics}, wish{param: "topics"}
	if cmd.Do == doUnsubscribe {
		add, remove = remove, add
	}
	ch, err := e.topicsChange(from.Grant, add, remove)
	if err != nil {
		return nil, err
	}
	return e.change(ctx, from.Conn, ch)
}

// commandToken renews the connection's token.
func (e *Edge) commandToken(ctx context.Context, from connection.Caller, message []byte) (any, error) {
	var cmd tokenCommand
	if err := httpx.DecodeJSON(bytes.NewReader(message), &cmd); err != nil {
		return nil, err
	}
	g, err := e.cfg.Auth.Verify(ctx, cmd.Token)
	if err != nil {
		return nil, err
	}
	return e.change(ctx, from.Conn, connection.Change{User: g.User, Grant: g})
}
