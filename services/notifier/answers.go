package notifier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/httpx"
	"tidings/shared/natsx"
	"tidings/shared/subject"
)

const (
	// answersKeep is how long an Idempotency-Key is remembered.
	answersKeep = 24 * time.Hour
	// answersBytes bounds them all; an answer has some hundred bytes.
	answersBytes = 256 << 20
)

// answers remembers what was answered to requests with an Idempotency-Key.
type answers struct{ bucket *natsx.Bucket }

// answer is a remembered request. It is stored before the request is carried out, with
// the ids it will use, so that one that was interrupted goes on with the same.
type answer struct {
	// Fingerprint tells whether it is the same request.
	Fingerprint string   `json:"fingerprint"`
	IDs         []string `json:"ids"`
	// Body is the answer, nil while it is not known.
	Body json.RawMessage `json:"body,omitempty"`
}

func openAnswers(ctx context.Context, conn *natsx.Conn, space subject.Space, replicas int) (*answers, error) {
	b, err := conn.OpenBucket(ctx, jetstream.KeyValueConfig{
		Bucket: space.Stream("idempotency"), Description: "Tidings: answers to requests that may be repeated",
		TTL: answersKeep, MaxBytes: answersBytes, Storage: jetstream.FileStorage, Replicas: replicas,
	})
	if err != nil {
		return nil, err
	}
	return &answers{b}, nil
}

// begin remembers a request of a user before it is carried out. It returns what is known
// about it: the ids to use, and the answer if there is one.
func (a *answers) begin(ctx context.Context, user, key string, request []byte, ids []string) (answer, error) {
	sum := sha256.Sum256(request)
	mine := answer{Fingerprint: hex.EncodeToString(sum[:16]), IDs: ids}
	known := mine
	err := a.bucket.Change(ctx, answerKey(user, key), func(value []byte) ([]byte, error) {
		if value == nil {
			known = mine
			return json.Marshal(mine)
		}
		if err := json.Unmarshal(value, &known); err != nil {
			return nil, fmt.Errorf("a stored answer: %w", err)
		}
		if known.Fingerprint != mine.Fingerprint || len(known.IDs) != len(ids) {
			return nil, httpx.NewProblem(http.StatusUnprocessableEntity, "idempotency_key_reused",
				"This Idempotency-Key was used for another request.").WithParam(httpx.HeaderIdempotencyKey)
		}
		return value, nil
	})
	return known, err
}

// end remembers the answer.
func (a *answers) end(ctx context.Context, user, key string, body []byte) error {
	return a.bucket.Change(ctx, answerKey(user, key), func(value []byte) ([]byte, error) {
		var known answer
		if value != nil {
			if err := json.Unmarshal(value, &known); err != nil {
				return nil, fmt.Errorf("a stored answer: %w", err)
			}
		}
		known.Body = body
		return json.Marshal(known)
	})
}

// answerKey names the answer without telling the key, which may be anything.
func answerKey(user, key string) string {
	sum := sha256.Sum256([]byte(user + "\x00" + key))
	return hex.EncodeToString(sum[:])
}
