package console

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/natsx"
)

// streamView is a stream of GET streams. Limits are -1 or 0 s for none; times are null
// if there was nothing yet.
type streamView struct {
	Name          string         `json:"name"`
	Subjects      []string       `json:"subjects"`
	Storage       string         `json:"storage"` // "file" or "memory"
	Replicas      int            `json:"replicas"`
	Created       time.Time      `json:"created"`
	Messages      uint64         `json:"messages"`
	Bytes         uint64         `json:"bytes"`
	First         uint64         `json:"first"`
	Last          uint64         `json:"last"`
	FirstTime     *time.Time     `json:"first_time"`
	LastTime      *time.Time     `json:"last_time"`
	MaxBytes      int64          `json:"max_bytes"`
	MaxMessages   int64          `json:"max_messages"`
	MaxPerSubject int64          `json:"max_per_subject"`
	MaxAgeS       float64        `json:"max_age_s"`
	Consumers     []consumerView `json:"consumers"`
	MoreConsumers bool           `json:"more_consumers"`
}

// consumerView is a consumer of a stream.
type consumerView struct {
	Name        string     `json:"name"`
	Durable     bool       `json:"durable"`
	Created     time.Time  `json:"created"`
	Delivered   uint64     `json:"delivered"`
	Pending     uint64     `json:"pending"`
	AckPending  int        `json:"ack_pending"`
	Redelivered int        `json:"redelivered"`
	Waiting     int        `json:"waiting"`
	LastActive  *time.Time `json:"last_active"`
}

// listStreams is GET streams: all streams of the account with their consumers.
func (c *Console) listStreams(ctx echo.Context) error {
	if _, err := query(ctx); err != nil {
		return err
	}
	if c.cfg.Streams == nil {
		return unavailable("streams")
	}
	list, err := c.cfg.Streams(ctx.Request().Context())
	if err != nil {
		return problem(err)
	}
	views := []streamView{}
	for _, s := range list {
		views = append(views, viewStream(s))
	}
	return ctx.JSON(http.StatusOK, map[string]any{"at": time.Now().UTC(), "streams": views})
}

func viewStream(s natsx.StreamDetails) streamView {
	v := streamView{
		Name: s.Name, Subjects: present(s.Subjects), Storage: "file", Replicas: s.Replicas, Created: s.Created,
		Messages: s.Messages, Bytes: s.Bytes, First: s.First, Last: s.Last, FirstTime: moment(s.FirstTime), LastTime: moment(s.LastTime),
		MaxBytes: s.MaxBytes, MaxMessages: s.MaxMessages, MaxPerSubject: s.MaxPerSubject, MaxAgeS: s.MaxAge.Seconds(),
		Consumers: []consumerView{}, MoreConsumers: s.More,
	}
	if s.Memory {
		v.Storage = "memory"
	}
	for _, x := range s.List {
		v.Consumers = append(v.Consumers, consumerView{
			Name: x.Name, Durable: x.Durable, Created: x.Created, Delivered: x.Delivered, Pending: x.Pending,
			AckPending: x.AckPending, Redelivered: x.Redelivered, Waiting: x.Waiting, LastActive: moment(x.LastActive),
		})
	}
	return v
}

// moment is a time that may be missing.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
