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
	// answersBytes bounds them all; an answer has some hundred bytes, and that of a full
	// batch ten thousand.
	answersBytes = 1 << 30
)

// answers remembers what was answered to requests with an Idempotency-Key. Its keys are
// those of answerKey.
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

// newAnswer is what there is to remember of a request that begins.
func newAnswer(request []byte, ids []string) answer {
	sum := sha256.Sum256(request)
	return answer{Fingerprint: hex.EncodeToString(sum[:16]), IDs: ids}
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

// find returns what is known of a request, and whether anything is. Of another request
// under its key there is a *httpx.Problem.
func (a *answers) find(ctx context.Context, key string, mine answer) (answer, bool, error) {
	value, _, err := a.bucket.Read(ctx, key)
	if err != nil {
		return answer{}, false, err
	}
	return mine.met(value)
}

// met reads what is stored under the key of a request. An empty value is one that was
// forgotten.
func (a answer) met(value []byte) (known answer, found bool, err error) {
	if len(value) == 0 {
		return answer{}, false, nil
	}
	if err := json.Unmarshal(value, &known); err != nil {
		return answer{}, false, fmt.Errorf("a stored answer: %w", err)
	}
	if known.Fingerprint != a.Fingerprint || len(known.IDs) != len(a.IDs) {
		return answer{}, false, httpx.NewProblem(http.StatusUnprocessableEntity, "idempotency_key_reused",
			"This Idempotency-Key was used for another request.").WithParam(httpx.HeaderIdempotencyKey)
	}
	return known, true, nil
}

// begin remembers a request before it is carried out. It returns what is known about it
// then: the ids to use, and the answer if there is one.
func (a *answers) begin(ctx context.Context, key string, mine answer) (known answer, err error) {
	err = a.bucket.Change(ctx, key, func(value []byte) ([]byte, error) {
		var found bool
		if known, found, err = mine.met(value); err != nil || found {
			return value, err
		}
		known = mine
		return json.Marshal(mine)
	})
	return known, err
}

// end remembers the answer, and returns the one that counts: of many who carry out the
// same request the first to end gives it for all.
func (a *answers) end(ctx context.Context, key string, mine answer) (body []byte, err error) {
	err = a.bucket.Change(ctx, key, func(value []byte) ([]byte, error) {
		known, found, err := mine.met(value)
		if err != nil {
			return nil, err
		}
		if found && known.Body != nil {
			body = known.Body
			return value, nil
		}
		body = mine.Body
		return json.Marshal(mine)
	})
	return body, err
}

// forget forgets a request that was refused, so that it may be mended and sent again. What
// was answered meanwhile, or is another request, stays.
func (a *answers) forget(ctx context.Context, key string, mine answer) error {
	return a.bucket.Change(ctx, key, func(value []byte) ([]byte, error) {
		known, found, err := mine.met(value)
		if err != nil || !found || known.Body != nil {
			return value, nil //nolint:nilerr // it is not ours
		}
		return []byte{}, nil
	})
}

// answerKey names the answer without telling the key, which may be anything.
func answerKey(user, key string) string {
	sum := sha256.Sum256([]byte(user + "\x00" + key))
	return hex.EncodeToString(sum[:])
}
