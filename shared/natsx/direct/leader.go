package direct

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
)

const (
	// leaderAPI is the subject of the API that only a stream's leader answers, without
	// the stream's name.
	leaderAPI = "$JS.API.STREAM.MSG.GET."
	// codeNoMessage is its code for a message that is not there.
	codeNoMessage = 10037
)

// answer is what the leader's API sends.
type answer struct {
	Error   *jetstream.APIError `json:"error"`
	Message *struct {
		Subject string    `json:"subject"`
		Seq     uint64    `json:"seq"`
		Header  []byte    `json:"hdrs"`
		Data    []byte    `json:"data"`
		Time    time.Time `json:"time"`
	} `json:"message"`
}

// AtLeader is At, answered by the stream's leader: what was stored is there. Only one that
// was elected this moment may lack what the one before it stored last.
func AtLeader(ctx context.Context, conn *natsx.Conn, stream string, seq uint64) (*nats.Msg, error) {
	return atLeader(ctx, conn, stream, request{Seq: seq})
}

// LastAtLeader is Last, answered by the stream's leader, as AtLeader is.
func LastAtLeader(ctx context.Context, conn *natsx.Conn, stream, subj string) (*nats.Msg, error) {
	return atLeader(ctx, conn, stream, request{Last: subj})
}

func atLeader(ctx context.Context, conn *natsx.Conn, stream string, r request) (*nats.Msg, error) {
	var a answer
	err := ask(ctx, conn, leaderAPI+stream, r, func(ctx context.Context, body []byte) error {
		m, err := conn.NC.RequestWithContext(ctx, leaderAPI+stream, body)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(m.Data, &a); err != nil {
			return fmt.Errorf("the leader's answer: %w", err)
		}
		if a.Error != nil && a.Error.ErrorCode != codeNoMessage {
			return a.Error
		}
		return nil
	})
	if err != nil || a.Message == nil {
		return nil, err
	}
	// A header that cannot be read is none, as it is for the direct API.
	header, err := nats.DecodeHeadersMsg(a.Message.Header)
	if err != nil || header == nil {
		header = nats.Header{}
	}
	header.Add(jetstream.SubjectHeader, a.Message.Subject)
	header.Add(jetstream.SequenceHeader, strconv.FormatUint(a.Message.Seq, 10))
	header.Add(jetstream.TimeStampHeaer, a.Message.Time.Format(time.RFC3339Nano))
	return &nats.Msg{Subject: a.Message.Subject, Header: header, Data: a.Message.Data}, nil
}
