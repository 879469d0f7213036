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
	body, err := json.Marshal(data)
	if err != nil { // unreachable: the types above always encode
		body = []byte("{}")
	}
	dst = append(append(dst, "event: "...), kind...)
	dst = append(append(dst, "\ndata: "...), body...)
	return append(dst, '\n', '\n')
}

// AppendHeartbeat appends an id-only block: it moves the client's position and
// fires nothing.
func AppendHeartbeat(dst []byte, at event.Cursor) []byte {
	return append(at.Append(append(dst, "id: "...)), '\n', '\n')
}

// AppendRetry appends the reconnection time as a block of its own.
func AppendRetry(dst []byte, ms int64) []byte {
	return append(strconv.AppendInt(append(dst, "retry: "...), ms, 10), '\n', '\n')
}
