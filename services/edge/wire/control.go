package wire

import (
	"encoding/json"
	"strconv"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// Types of the control events.
const (
	TypeHello    = event.ReservedPrefix + "hello"
	TypeLive     = event.ReservedPrefix + "live"
	TypeGap      = event.ReservedPrefix + "gap"
	TypeAway     = event.ReservedPrefix + "away"
	TypeExpiring = event.ReservedPrefix + "expiring"
	TypeBye      = event.ReservedPrefix + "bye"
)

// Reasons of a tidings.gap.
const (
	// GapDropped: the stream's limits dropped events after the cursor.
	GapDropped = "dropped"
	// GapEpoch: the log is not the one the cursor belongs to.
	GapEpoch = "epoch"
	// GapAhead: the cursor is beyond the log's end, so the log lost some.
	GapAhead = "ahead"
)

// Hello is the data of tidings.hello.
type Hello struct {
	Conn        string            `json:"conn"`
	Node        string            `json:"node"`
	Epoch       string            `json:"epoch"`
	Cursor      string            `json:"cursor"`
	Topics      []subject.Pattern `json:"topics"`
	Resumed     bool              `json:"resumed"`
	HeartbeatMS int64             `json:"heartbeat_ms"`
	// RetryMS is how long to wait before coming back if the connection just breaks;
	// random. Server-Sent Events have a field of their own for it.
	RetryMS int64 `json:"retry_ms,omitempty"`
}

// Live is the data of tidings.live.
type Live struct {
	Cursor string `json:"cursor"`
}

// Gap is the data of tidings.gap: events of Topic after After and before Before
// may be gone.
type Gap struct {
	Topic  subject.Pattern `json:"topic"`
	After  string          `json:"after"`
	Before string          `json:"before"`
	Reason string          `json:"reason"`
}

// AwayData is the data of tidings.away.
type AwayData struct {
	Reason string `json:"reason"`
}

// Expiring is the data of tidings.expiring.
type Expiring struct {
	InMS int64 `json:"in_ms"`
}

// AppendControl appends a control event as a block. A zero cursor leaves the
// client's position alone.
func AppendControl(dst []byte, at event.Cursor, kind string, data any) []byte {
	if at.Epoch != "" {
		dst = append(at.Append(append(dst, "id: "...)), '\n')
	}
	dst = append(append(dst, "event: "...), kind...)
	dst = append(append(dst, "\ndata: "...), encode(data)...)
	return append(dst, '\n', '\n')
}

// AppendControlJSON is AppendControl for where there are no blocks: an object with
// "type", "data" and, unless the position is left alone, "cursor".
func AppendControlJSON(dst []byte, at event.Cursor, kind string, data any) []byte {
	dst = append(append(dst, `{"type":"`...), kind...)
	dst = append(append(dst, `","data":`...), encode(data)...)
	if at.Epoch != "" {
		dst = append(at.Append(append(dst, `,"cursor":"`...)), '"')
	}
	return append(dst, '}')
}

func encode(data any) []byte {
	body, err := json.Marshal(data)
	if err != nil { // unreachable: the types above always encode
		return []byte("{}")
	}
	return body
}

// AppendHeartbeat appends an id-only block: it moves the client's position and
// fires nothing.
func AppendHeartbeat(dst []byte, at event.Cursor) []byte {
	return append(at.Append(append(dst, "id: "...)), '\n', '\n')
}

// AppendHeartbeatJSON is AppendHeartbeat for where there are no blocks: an object
// with nothing but "cursor".
func AppendHeartbeatJSON(dst []byte, at event.Cursor) []byte {
	return append(at.Append(append(dst, `{"cursor":"`...)), '"', '}')
}

// AppendRetry appends the reconnection time as a block of its own.
func AppendRetry(dst []byte, ms int64) []byte {
	return append(strconv.AppendInt(append(dst, "retry: "...), ms, 10), '\n', '\n')
}
