package edge

import (
	"encoding/json"
	"strconv"

	"tidings/shared/event"
	"tidings/shared/subject"
)

// Types of the control events.
const (
	typeHello    = event.ReservedPrefix + "hello"
	typeLive     = event.ReservedPrefix + "live"
	typeGap      = event.ReservedPrefix + "gap"
	typeAway     = event.ReservedPrefix + "away"
	typeExpiring = event.ReservedPrefix + "expiring"
	typeBye      = event.ReservedPrefix + "bye"
)

// Reasons of a tidings.gap.
const (
	// gapDropped: the stream's limits dropped events after the cursor.
	gapDropped = "dropped"
	// gapEpoch: the log is not the one the cursor belongs to.
	gapEpoch = "epoch"
	// gapAhead: the cursor is beyond the log's end, so the log lost some.
	gapAhead = "ahead"
)

// hello is the data of tidings.hello.
type hello struct {
	Conn        string            `json:"conn"`
	Node        string            `json:"node"`
	Epoch       string            `json:"epoch"`
	Cursor      string            `json:"cursor"`
	Topics      []subject.Pattern `json:"topics"`
	Resumed     bool              `json:"resumed"`
	HeartbeatMS int64             `json:"heartbeat_ms"`
}

// live is the data of tidings.live.
type live struct {
	Cursor string `json:"cursor"`
}

// gap is the data of tidings.gap: events of Topic after After and before Before
// may be gone.
type gap struct {
	Topic  subject.Pattern `json:"topic"`
	After  string          `json:"after"`
	Before string          `json:"before"`
	Reason string          `json:"reason"`
}

// away is the data of tidings.away.
type away struct {
	Reason string `json:"reason"`
}

// expiring is the data of tidings.expiring.
type expiring struct {
	InMS int64 `json:"in_ms"`
}

// appendControl appends a control event as a block. A zero cursor leaves the
// client's position alone.
func appendControl(dst []byte, at event.Cursor, kind string, data any) []byte {
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

// appendHeartbeat appends an id-only block: it moves the client's position and
// fires nothing.
func appendHeartbeat(dst []byte, at event.Cursor) []byte {
	return append(at.Append(append(dst, "id: "...)), '\n', '\n')
}

// appendRetry appends the reconnection time as a block of its own.
func appendRetry(dst []byte, ms int64) []byte {
	return append(strconv.AppendInt(append(dst, "retry: "...), ms, 10), '\n', '\n')
}
