package producer

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/producer/envelope"
	"tidings/shared/stream"
)

// appendTime bounds how long the events of one request may take to store. A log
// so slow is as good as away, and the client should hear so while it still waits.
const appendTime = 30 * time.Second

// codeNotTried marks the events after the first that could not be stored.
const codeNotTried = "not_tried"

// stored is the answer for one event that the log has.
type stored struct {
	Seq       uint64 `json:"seq"`
	Cursor    string `json:"cursor"`
	Duplicate bool   `json:"duplicate"`
}

// failed is the answer for one event that is not known to be in the log.
type failed struct {
	Error struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"error"`
}

// outcome is what became of a batch: the acknowledgements of its first events,
// and why the next one has none.
type outcome struct {
	acks []stream.Ack
	err  error // nil when all were stored
}

// store appends the events in their order and stops at the first failure: to go
// on could store an event before one that was sent earlier. Each append waits for
// the last one's acknowledgement, which is what keeps the order in the log.
func (p *Producer) store(ctx context.Context, b envelope.Batch) outcome {
	ctx, cancel := context.WithTimeout(ctx, appendTime)
	defer cancel()
	out := outcome{acks: make([]stream.Ack, 0, len(b.Items))}
	for _, it := range b.Items {
		if err := ctx.Err(); err != nil {
			out.err = err
			break
		}
		ack, err := p.log.Append(ctx, it.Event, it.Key)
		if err != nil {
			out.err = fmt.Errorf("log.Append: %w", err)
			break
		}
		p.metrics.acknowledged(ack, len(it.Event.Data))
		out.acks = append(out.acks, ack)
	}
	p.metrics.failed.Add(len(b.Items) - len(out.acks))
	return out
}

// answer tells the client what became of its events. created is the status of a
// single event that was new.
func (p *Producer) answer(c echo.Context, b envelope.Batch, out outcome, created int) error {
	if b.Single {
		return p.answerOne(c, out, created)
	}
	results := make([]any, len(b.Items))
	for i, ack := range out.acks {
		results[i] = view(ack)
	}
	status := http.StatusOK
	if out.err != nil {
		why := stream.Problem(out.err)
		status = why.Status
		if why.RetryAfter > 0 {
			c.Response().Header().Set("Retry-After", strconv.Itoa(int(why.RetryAfter.Seconds())))
		}
		for i := len(out.acks); i < len(results); i++ {
			var f failed
			f.Error.Code, f.Error.Detail = why.Code, why.Detail
			if i > len(out.acks) {
				f.Error.Code, f.Error.Detail = codeNotTried, "An earlier event of the request could not be stored."
			}
			results[i] = f
		}
		p.logger.WarnContext(c.Request().Context(), "some events of a request were not stored",
			"stored", len(out.acks), "events", len(results), "err", out.err)
	}
	return c.JSON(status, map[string]any{"results": results})
}

// answerOne is answer for a request that was one event.
func (p *Producer) answerOne(c echo.Context, out outcome, created int) error {
	if out.err != nil {
		return stream.Problem(out.err)
	}
	if out.acks[0].Duplicate {
		created = http.StatusOK
	}
	return c.JSON(created, view(out.acks[0]))
}

// view is the wire form of an acknowledgement.
func view(ack stream.Ack) stored {
	return stored{Seq: ack.Cursor.Seq, Cursor: ack.Cursor.String(), Duplicate: ack.Duplicate}
}
