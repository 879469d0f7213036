package planner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/natsx"
	"tidings/shared/natsx/direct"
	"tidings/shared/subject"
)

// Name is the stream's name below the prefix: "tidings_SCHEDULE".
const Name = "SCHEDULE"

const (
	// MaxList is the most entries that List returns.
	MaxList = 1000
	// listPage is how many messages are read at a time.
	listPage = 200
	// callWait bounds one exchange with NATS. A leader election takes about five
	// seconds; who waits longer is better told so.
	callWait = 5 * time.Second
	// purgeAPI and deleteAPI are the subjects of APIs, without the stream's name.
	purgeAPI  = "$JS.API.STREAM.PURGE."
	deleteAPI = "$JS.API.STREAM.MSG.DELETE."
	// codeNoSequence says that a message is not there to be deleted, and so may
	// codeDelete, in words.
	codeNoSequence, codeDelete = 10043, 10057
)

// Errors of the planner. Others are those of natsx.
var (
	// errConflict says that the subject's last message is another one.
	errConflict = errors.New("somebody else wrote meanwhile")
	// errStarting is the health of a planner that has not read the schedule yet.
	errStarting = errors.New("the schedule was not read yet")
)

// Config says how a planner works. Its zero value will do.
type Config struct {
	// Bytes bounds what the stream keeps; 2 GiB by default, which is some million
	// entries. A full schedule refuses plans and drops none.
	Bytes int64
	// Replicas is the number of copies, 1, 3 or 5, used when the stream is created; 1 by
	// default.
	Replicas int
	// Concurrency is how many entries are fired at the same time; 8 by default.
	Concurrency int
	// Now is the clock that says what is due; time.Now by default.
	Now func() time.Time
	// Wake has Run look at the clock. It is for clocks that jump; others are waited for.
	Wake <-chan struct{}
	// Log is told what nobody else is; nil discards it.
	Log *slog.Logger
	// Registerer is where the metrics are registered; nil means that nobody looks. It
	// panics if they were.
	Registerer prometheus.Registerer
}

// defaults returns the configuration with what is zero filled in.
func (c Config) defaults() Config {
	if c.Bytes == 0 {
		c.Bytes = 2 << 30
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 8
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	return c
}

// Planner keeps what shall happen. Make one with Open.
type Planner struct {
	conn    *natsx.Conn
	space   subject.Space
	cfg     Config
	config  jetstream.StreamConfig
	metrics *metrics

	mu  sync.Mutex
	err error // why Run fires nothing, nil while it would
}

// Open makes the stream, or brings an existing one to the configuration. Errors wrap
// those of natsx.
func Open(ctx context.Context, conn *natsx.Conn, space subject.Space, cfg Config) (*Planner, error) {
	cfg = cfg.defaults()
	p := &Planner{conn: conn, space: space, cfg: cfg, err: errStarting, config: jetstream.StreamConfig{
		Name: space.Stream(Name), Description: "Tidings: what shall happen at a time",
		Subjects: []string{space.Plan("*", "*", "*"), space.Digest("*", "*")},
		// One entry per key: planning it again replaces it.
		MaxBytes: cfg.Bytes, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, AllowMsgTTL: true,
		Storage: jetstream.FileStorage, Replicas: cfg.Replicas, AllowDirect: true,
	}}
	if err := p.ensure(ctx); err != nil {
		return nil, err
	}
	p.metrics = newMetrics(cfg.Registerer)
	return p, nil
}

// ensure makes the stream exist.
func (p *Planner) ensure(ctx context.Context) error {
	_, err := p.conn.EnsureStream(ctx, p.config)
	return err
}

// Plan stores e, in place of what was planned with its Key, Notification and User, and
// returns after the store has it. If e.Collapse is set what was planned with the Key for
// other notifications goes as well; there are both for a moment. Errors wrap ErrEntry or
// those of natsx; repeat a call that failed so, that does no harm.
func (p *Planner) Plan(ctx context.Context, e Entry) error {
	m, err := e.message(p.space)
	if err != nil {
		return err
	}
	seq, err := p.publish(ctx, m)
	if err == nil && e.Collapse {
		_, err = p.purge(ctx, p.space.Plan(subject.Escape(e.Key), "*", "*"), seq)
	}
	return err
}

// PlanNew is Plan, unless something is planned with the Key, Notification and User: then
// that stays, and planned is false. It looks at no other notification and ignores
// e.Collapse. After an error that wraps one of natsx the entry may be planned.
func (p *Planner) PlanNew(ctx context.Context, e Entry) (planned bool, err error) {
	m, err := e.message(p.space)
	if err != nil {
		return false, err
	}
	if _, err = p.publish(ctx, m, jetstream.WithExpectLastSequencePerSubject(0)); errors.Is(err, errConflict) {
		return false, nil
	}
	return err == nil, err
}

// Cancel removes what is planned with a key and reports whether there was anything. What
// is being fired at this moment is not stopped. Errors are those of natsx.
func (p *Planner) Cancel(ctx context.Context, key string) (bool, error) {
	if key == "" || len(key) > MaxName {
		return false, nil // nothing can have it
	}
	n, err := p.purge(ctx, p.space.Plan(subject.Escape(key), "*", "*"), 0)
	return n > 0, err
}

// CancelAll removes what is planned for a notification and returns how much that was.
// It looks through all keys: some tens of milliseconds per hundred thousand entries.
// Errors are those of natsx.
func (p *Planner) CancelAll(ctx context.Context, notification string) (int, error) {
	if notification == "" || len(notification) > MaxName {
		return 0, nil
	}
	return p.purge(ctx, p.space.Plan("*", "*", subject.Escape(notification)), 0)
}

// CancelUser removes what is planned for a user and returns how much that was. It costs
// what CancelAll costs. Errors are those of natsx.
func (p *Planner) CancelUser(ctx context.Context, user string) (int, error) {
	if user == "" || len(user) > MaxUser {
		return 0, nil
	}
	return p.purge(ctx, p.space.Plan("*", subject.Escape(user), "*"), 0)
}

// List returns what is planned for a notification, in the order it was planned; more
// says that there are more than MaxList. Of several replicas one that lags may answer,
// and lack the last moments. It costs what CancelAll costs. Errors are those of natsx.
func (p *Planner) List(ctx context.Context, notification string) (list []Entry, more bool, err error) {
	if notification == "" || len(notification) > MaxName {
		return nil, false, nil
	}
	err = p.visit(ctx, p.space.Plan("*", "*", subject.Escape(notification)), func(m *nats.Msg) bool {
		if more = len(list) == MaxList; more {
			return false
		}
		if e, err := decode(m.Data); err == nil { // whoever wrote another one, it is no entry
			list = append(list, e)
		}
		return true
	})
	return list, more, err
}

// Check returns why Run would fire nothing now, or nil. It is meant for telemetry.Health.
func (p *Planner) Check(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// tell notes the planner's health and returns what it was.
func (p *Planner) tell(err error) (before error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.err = p.err, err
	return before
}

// visit calls do for the messages of a subject in order, until it returns false.
func (p *Planner) visit(ctx context.Context, subj string, do func(*nats.Msg) bool) error {
	for from := uint64(1); ; {
		page, err := direct.Page(ctx, p.conn, p.config.Name, subj, from, listPage)
		if err != nil {
			return err
		}
		for _, m := range page.List {
			if !do(m) {
				return nil
			}
		}
		if !page.More || len(page.List) == 0 {
			return nil
		}
		from = page.Next
	}
}

// publish stores a message and returns its sequence. A condition that does not hold is
// errConflict.
func (p *Planner) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (uint64, error) {
	var ack *jetstream.PubAck
	err := p.call(ctx, "publish to "+m.Subject, func(ctx context.Context) (err error) {
		ack, err = p.conn.JS.PublishMsg(ctx, m, opts...)
		if natsx.Raced(err) {
			return errConflict
		}
		return err
	}, m.Subject)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// purge removes the messages of a subject, those below a sequence if it is not 0, and
// returns how many those were.
func (p *Planner) purge(ctx context.Context, subj string, below uint64) (int, error) {
	var answer struct {
		Error  *jetstream.APIError `json:"error"`
		Purged int                 `json:"purged"`
	}
	err := p.ask(ctx, purgeAPI, map[string]any{"filter": subj, "seq": below}, &answer, func() error {
		if answer.Error != nil {
			return answer.Error
		}
		return nil
	})
	return answer.Purged, err
}

// remove removes the message of a sequence and reports whether it was there.
func (p *Planner) remove(ctx context.Context, seq uint64) (was bool, err error) {
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	err = p.ask(ctx, deleteAPI, map[string]any{"seq": seq, "no_erase": true}, &answer, func() error {
		switch e := answer.Error; {
		case e == nil:
			was = true
		case e.ErrorCode == codeNoSequence:
		case e.ErrorCode == codeDelete && slices.Contains([]string{"no message found", "stream store EOF"}, e.Description):
		default:
			return e
		}
		return nil
	})
	return was, err
}

// ask sends a request to an API about the stream, reads the answer and has it judged.
func (p *Planner) ask(ctx context.Context, api string, request, answer any, judge func() error) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	subj := api + p.config.Name
	return p.call(ctx, "ask "+subj, func(ctx context.Context) error {
		m, err := p.conn.NC.RequestWithContext(ctx, subj, body)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(m.Data, answer); err != nil {
			return fmt.Errorf("the answer: %w", err)
		}
		return judge()
	}, subj)
}

// call runs one exchange with NATS within callWait.
func (p *Planner) call(ctx context.Context, what string, do func(context.Context) error, subjects ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	if err := p.conn.Guard(ctx, do, subjects...); err != nil {
		return fmt.Errorf("%s: %w", what, natsx.Classify(err))
	}
	return nil
}
