package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
	"tidings/shared/worker"
)

const (
	// allTime bounds what is done to all dead letters at once. Thousands take longer;
	// the answer says so then, and the page goes on where it ended.
	allTime = 20 * time.Second
	// busyRetry is when to ask again for a letter that somebody else is at work on.
	busyRetry = time.Second
	// maxTurns bounds the pages of the queue that are read for one page of a filtered
	// list: letters that the filter leaves out cost as much as the others.
	maxTurns = 20
)

// letter is a row of GET dead. It is what is known of a dead letter but for the
// job's payload, which may be large.
type letter struct {
	Seq          uint64        `json:"seq"`
	Key          string        `json:"key"`
	Channel      string        `json:"channel"`
	Reason       worker.Reason `json:"reason"`
	Died         time.Time     `json:"died"`
	Attempts     int           `json:"attempts"`
	Error        string        `json:"error"`
	Unsure       bool          `json:"unsure"`
	Notification string        `json:"notification"`
	Recipient    string        `json:"recipient"`
	Queued       time.Time     `json:"queued,omitzero"`
	Expires      time.Time     `json:"expires,omitzero"`
	Critical     bool          `json:"critical"`
}

// wholeLetter is the body of GET dead/:seq. Raw is what came if that was no job.
type wholeLetter struct {
	letter
	Payload json.RawMessage `json:"payload,omitempty"`
	Raw     []byte          `json:"raw,omitempty"`
}

// letters is the body of GET dead, the oldest first. Next is the "after" of the next
// page, 0 if this is the last.
type letters struct {
	Letters []letter `json:"letters"`
	Next    uint64   `json:"next"`
}

// dead registers the routes of dead letters.
func (c *Console) dead(e *echo.Echo, operators []echo.MiddlewareFunc, patient []echo.MiddlewareFunc) {
	e.GET(apiPath+"/dead", c.listDead, operators...)
	e.DELETE(apiPath+"/dead", c.dropAllDead, patient...)
	e.POST(apiPath+"/dead/redrive", c.redriveAllDead, patient...)
	e.GET(apiPath+"/dead/:seq", c.showDead, operators...)
	e.DELETE(apiPath+"/dead/:seq", c.dropDead, operators...)
	e.POST(apiPath+"/dead/:seq/redrive", c.redriveDead, operators...)
}

// queue returns the queue of jobs, or why there is none.
func (c *Console) queue() (*worker.Queue, error) {
	if c.cfg.Queue == nil {
		return nil, unavailable("queue")
	}
	return c.cfg.Queue, nil
}

// filterOf reads which letters are meant, and the parameters beside that.
func filterOf(ctx echo.Context, more ...string) (f worker.Filter, after uint64, limit int, err error) {
	q, err := query(ctx, append([]string{"channel", "notification", "reason"}, more...)...)
	if err != nil {
		return f, 0, 0, err
	}
	f = worker.Filter{Channel: q.Get("channel"), Notification: q.Get("notification"), Reason: worker.Reason(q.Get("reason"))}
	switch f.Reason {
	case "", worker.ReasonAttempts, worker.ReasonPermanent, worker.ReasonUnsure, worker.ReasonMalformed:
	default:
		return f, 0, 0, httpx.Bad("reason", "bad_reason", "The reason is attempts, permanent, unsure or malformed.")
	}
	if s := q.Get("after"); s != "" {
		if after, err = strconv.ParseUint(s, 10, 64); err != nil {
			return f, 0, 0, httpx.Bad("after", "bad_after", "after must be the next of a page before.")
		}
	}
	limit, err = limitOf(q.Get("limit"))
	return f, after, min(limit, worker.MaxLetters), err
}

// listDead is GET dead: the letters that a filter selects, page by page.
func (c *Console) listDead(ctx echo.Context) error {
	f, after, limit, err := filterOf(ctx, "after", "limit")
	if err != nil {
		return err
	}
	queue, err := c.queue()
	if err != nil {
		return err
	}
	body := letters{Letters: []letter{}}
	for range maxTurns {
		page, err := queue.List(ctx.Request().Context(), f, after, limit-len(body.Letters))
		if err != nil {
			return problem(err)
		}
		for _, l := range page.Letters {
			body.Letters = append(body.Letters, rowOf(l))
		}
		after, body.Next = page.Next, 0
		if !page.More {
			break
		}
		if body.Next = page.Next; len(body.Letters) >= limit {
			break
		}
	}
	return ctx.JSON(http.StatusOK, body)
}

// rowOf is what a list shows of a letter.
func rowOf(l worker.Letter) letter {
	row := letter{
		Seq: l.Seq, Key: l.Key, Channel: l.Channel, Reason: l.Reason, Died: l.Died, Attempts: l.Attempts, Error: l.Error, Unsure: l.Unsure,
	}
	if l.Job != nil {
		row.Notification, row.Recipient, row.Critical = l.Job.Notification, l.Job.Recipient, l.Job.Critical
		row.Queued, row.Expires = l.Job.Queued, l.Job.Expires
	}
	return row
}

// seqOf reads which letter is meant.
func seqOf(ctx echo.Context) (uint64, error) {
	seq, err := strconv.ParseUint(ctx.Param("seq"), 10, 64)
	if err != nil || seq == 0 {
		return 0, noLetter()
	}
	return seq, nil
}

func noLetter() *httpx.Problem {
	return httpx.NewProblem(http.StatusNotFound, "letter_unknown", "There is no such dead letter, or not any more.").WithParam("seq")
}

// showDead is GET dead/:seq.
func (c *Console) showDead(ctx echo.Context) error {
	seq, queue, err := c.one(ctx)
	if err != nil {
		return err
	}
	l, err := queue.Show(ctx.Request().Context(), seq)
	if err != nil {
		return letterProblem(err)
	}
	body := wholeLetter{letter: rowOf(l), Raw: l.Raw}
	if l.Job != nil {
		body.Payload = l.Job.Payload
	}
	return ctx.JSON(http.StatusOK, body)
}

// one is what every request about one letter begins with.
func (c *Console) one(ctx echo.Context) (uint64, *worker.Queue, error) {
	if _, err := query(ctx); err != nil {
		return 0, nil, err
	}
	queue, err := c.queue()
	if err != nil {
		return 0, nil, err
	}
	seq, err := seqOf(ctx)
	return seq, queue, err
}

// redriveDead is POST dead/:seq/redrive.
func (c *Console) redriveDead(ctx echo.Context) error {
	seq, queue, err := c.one(ctx)
	if err != nil {
		return err
	}
	if err := queue.Redrive(ctx.Request().Context(), seq); err != nil {
		return letterProblem(err)
	}
	c.audit(ctx, "redrive", "letter", seq)
	return ctx.JSON(http.StatusOK, map[string]int{"redriven": 1})
}

// dropDead is DELETE dead/:seq.
func (c *Console) dropDead(ctx echo.Context) error {
	seq, queue, err := c.one(ctx)
	if err != nil {
		return err
	}
	if err := queue.Drop(ctx.Request().Context(), seq); err != nil {
		return letterProblem(err)
	}
	c.audit(ctx, "drop", "letter", seq)
	return ctx.JSON(http.StatusOK, map[string]int{"dropped": 1})
}

// redriven is the body of the answer to POST dead/redrive. More says that the time did
// not suffice for all.
type redriven struct {
	Redriven int  `json:"redriven"`
	Skipped  int  `json:"skipped"`
	More     bool `json:"more"`
}

// redriveAllDead is POST dead/redrive: all that a filter selects.
func (c *Console) redriveAllDead(ctx echo.Context) error {
	f, queue, err := c.many(ctx)
	if err != nil {
		return err
	}
	done, skipped, err := queue.RedriveAll(ctx.Request().Context(), f)
	if done > 0 || err == nil {
		c.audit(ctx, "redrive", "channel", f.Channel, "notification", f.Notification, "reason", f.Reason, "redriven", done, "skipped", skipped)
	}
	more, err := outOfTime(err, done+skipped)
	if err != nil {
		return err
	}
	return ctx.JSON(http.StatusOK, redriven{Redriven: done, Skipped: skipped, More: more})
}

// dropped is the body of the answer to DELETE dead.
type dropped struct {
	Dropped int  `json:"dropped"`
	More    bool `json:"more"`
}

// dropAllDead is DELETE dead: all that a filter selects.
func (c *Console) dropAllDead(ctx echo.Context) error {
	f, queue, err := c.many(ctx)
	if err != nil {
		return err
	}
	done, err := queue.DropAll(ctx.Request().Context(), f)
	if done > 0 || err == nil {
		c.audit(ctx, "drop", "channel", f.Channel, "notification", f.Notification, "reason", f.Reason, "dropped", done)
	}
	more, err := outOfTime(err, done)
	if err != nil {
		return err
	}
	return ctx.JSON(http.StatusOK, dropped{Dropped: done, More: more})
}

// many is what requests about all letters begin with.
func (c *Console) many(ctx echo.Context) (worker.Filter, *worker.Queue, error) {
	f, _, _, err := filterOf(ctx)
	if err != nil {
		return f, nil, err
	}
	queue, err := c.queue()
	return f, queue, err
}

// outOfTime tells an end of time with something done from a failure.
func outOfTime(err error, done int) (bool, error) {
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, context.DeadlineExceeded) && done > 0:
		return true, nil
	}
	return false, problem(err)
}

// letterProblem explains an error about one letter.
func letterProblem(err error) error {
	switch {
	case errors.Is(err, worker.ErrNoLetter):
		return noLetter().WithCause(err)
	case errors.Is(err, worker.ErrNotJob):
		return httpx.NewProblem(http.StatusConflict, "letter_no_job", "The letter holds no job that could be tried again.").
			WithHint("All that can be done is to drop it.").WithCause(err)
	case errors.Is(err, worker.ErrExpired):
		return httpx.NewProblem(http.StatusConflict, "letter_expired", "The job has expired: it is not worth sending any more.").
			WithHint("All that can be done is to drop it.").WithCause(err)
	case errors.Is(err, worker.ErrBusy):
		return httpx.NewProblem(http.StatusConflict, "letter_busy", "Somebody else is at work on this letter.").WithRetryAfter(busyRetry).WithCause(err)
	}
	return problem(err)
}
