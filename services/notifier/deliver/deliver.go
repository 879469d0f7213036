package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"tidings/services/notifier/inbox"
	"tidings/services/notifier/people"
	"tidings/services/notifier/planner"
	"tidings/services/notifier/route"
	"tidings/shared/ledger"
	"tidings/shared/natsx"
	"tidings/shared/subject"
	"tidings/shared/suppress"
	"tidings/shared/template"
	"tidings/shared/worker"
)

const (
	// Channel is the channel of the jobs that decide.
	Channel = "route"
	// MaxMembers bounds the people of one notification: five hundred jobs, whose entries
	// the ledger reads at once.
	MaxMembers = 50_000
	// chunk is how many people are one job: few enough to be told within a moment and
	// to make a small entry of the ledger, and enough to share the cost of a job.
	chunk = 100
	// peopleAtOnce is how many people of a job are dealt with at the same time.
	peopleAtOnce = 16
	// maxCarried is the most bytes of a notification that its job brings along, so that
	// nobody has to read the ledger for it. Those of many jobs are read, once for them all.
	maxCarried = 4 << 10
	// rememberedNotifications and rememberedBytes bound what is kept of the ledger: the
	// jobs of one notification come one after the other.
	rememberedNotifications, rememberedBytes = 256, 16 << 20
)

// Config is what a Deliverer works with. All but Connected is needed.
type Config struct {
	Queue      *worker.Queue
	Ledger     *ledger.Ledger
	People     *people.People
	Inbox      *inbox.Store
	Planner    *planner.Planner
	Suppressed *suppress.List
	History    *History
	Templates  func() *template.Set
	Categories route.Categories
	// Channels are those that somebody sends over here.
	Channels []route.Channel
	// Connected returns who follows a topic right now, at most MaxMembers; nil knows nobody.
	Connected func(context.Context, subject.Topic) ([]string, error)
	// Now is the clock.
	Now func() time.Time
}

// Deliverer decides and carries out. Make one with New.
type Deliverer struct {
	cfg Config
	log *slog.Logger

	mu     sync.Mutex
	recent map[string]request // by notification
	order  []string           // of recent, the oldest first
	bytes  int                // of recent
}

// request is a notification as the ledger has it.
type request struct {
	notification route.Notification
	at           time.Time // when it is told: accepted, or the sender's later time
	size         int       // of its entry in bytes
}

// New returns a Deliverer.
func New(cfg Config, log *slog.Logger) *Deliverer {
	return &Deliverer{cfg: cfg, log: log, recent: map[string]request{}}
}

// Recipients returns the users that a notification goes to, each once, in the order of
// its "to": named people, the known members of topics and who follows them right now.
// nobody are the indices of topics that reach nobody. Errors wrap ErrTooMany or are those
// of natsx and mesh.
func (d *Deliverer) Recipients(ctx context.Context, n route.Notification) (users []string, nobody []int, err error) {
	seen := map[string]bool{}
	add := func(user string) {
		if !seen[user] {
			seen[user] = true
			users = append(users, user)
		}
	}
	for i, to := range n.To {
		if to.Topic == "" {
			add(to.User)
			continue
		}
		members, err := d.members(ctx, to.Topic)
		if err != nil {
			return nil, nil, err
		}
		if len(members) == 0 {
			nobody = append(nobody, i)
		}
		for _, m := range members {
			add(m)
		}
	}
	if len(users) > MaxMembers {
		return nil, nil, fmt.Errorf("%w: %d people", ErrTooMany, len(users))
	}
	return users, nobody, nil
}

// members returns the users that a topic reaches, the known ones first; some may be
// there twice.
func (d *Deliverer) members(ctx context.Context, topic subject.Topic) ([]string, error) {
	members, more, err := d.cfg.People.Members(ctx, topic, MaxMembers)
	if err != nil {
		return nil, fmt.Errorf("members of %s: %w", topic, err)
	}
	if more {
		return nil, fmt.Errorf("%w: %s has over %d members", ErrTooMany, topic, MaxMembers)
	}
	if d.cfg.Connected == nil {
		return members, nil
	}
	connected, err := d.cfg.Connected(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("connections to %s: %w", topic, err)
	}
	return append(members, connected...), nil
}

// Begin makes the jobs of a notification that is in the ledger and whose time has come.
// The entry is that of the notification, or the zero Entry if it is not at hand. Begin
// returns after the jobs are stored. To begin again changes nothing.
func (d *Deliverer) Begin(ctx context.Context, id string, e ledger.Entry, users []string, expires time.Time) error {
	jobs := make([]worker.Job, 0, len(users)/chunk+1)
	part := 0
	var carried *ledger.Entry
	if len(users) <= chunk && len(e.Body) > 0 && len(e.Body) <= maxCarried {
		carried = &ledger.Entry{At: e.At, Body: e.Body}
	}
	for some := range slices.Chunk(users, chunk) {
		t := task{Kind: kindRoute, Part: "routed-" + strconv.Itoa(part), Users: some, Entry: carried}
		j, err := job(id, t, expires)
		if err != nil {
			return err
		}
		jobs = append(jobs, j)
		part++
	}
	if _, err := d.cfg.Queue.Enqueue(ctx, jobs...); err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	return nil
}

// task is the payload of a job of Channel.
type task struct {
	// Kind is what to do, Part the name of the decision in the ledger.
	Kind kind   `json:"kind"`
	Part string `json:"part"`
	// Users are those of kindRoute; User and Channel say what the others are about.
	Users   []string      `json:"users,omitempty"`
	User    string        `json:"user,omitempty"`
	Channel route.Channel `json:"channel,omitempty"`
	// Category is that of a digest, Given what a sender gave of the person.
	Category string       `json:"category,omitempty"`
	Given    route.Person `json:"given,omitzero"`
	// Entry is the notification's own entry of the ledger, nil if it is to be read there.
	Entry *ledger.Entry `json:"entry,omitempty"`
}

// kind is what a task is about.
type kind string

const (
	kindRoute  kind = "route"  // all channels of some users
	kindResume kind = "resume" // one channel that waited
	kindFlush  kind = "flush"  // a digest that is due
)

// job makes the job of a task. Its key follows from the notification and the part.
func job(id string, t task, expires time.Time) (worker.Job, error) {
	payload, err := natsx.Encode(t)
	if err != nil {
		return worker.Job{}, err
	}
	return worker.Job{Notification: id, Channel: Channel, Recipient: t.Part, Payload: payload, Expires: expires}, nil
}

// request returns a notification from the ledger. The error wraps ledger.ErrUnknown if
// it is not there any more.
func (d *Deliverer) request(ctx context.Context, id string) (request, error) {
	d.mu.Lock()
	r, ok := d.recent[id]
	d.mu.Unlock()
	if ok {
		return r, nil
	}
	e, found, err := d.cfg.Ledger.Part(ctx, id, RequestPart)
	if err != nil {
		return request{}, fmt.Errorf("read the notification: %w", err)
	}
	if !found {
		return request{}, ledger.ErrUnknown
	}
	r, err = requestOf(id, e)
	if err == nil {
		d.remember(id, r)
	}
	return r, err
}

// canceled reports whether a notification was canceled.
func (d *Deliverer) canceled(ctx context.Context, id string) (bool, error) {
	_, found, err := d.cfg.Ledger.Part(ctx, id, CanceledPart)
	if err != nil {
		return false, fmt.Errorf("read whether it was canceled: %w", err)
	}
	return found, nil
}

// requestOf reads a notification's own entry of the ledger.
func requestOf(id string, e ledger.Entry) (request, error) {
	r := request{at: e.At, size: len(e.Body)}
	if err := json.Unmarshal(e.Body, &r.notification); err != nil {
		return request{}, fmt.Errorf("%w: %w", errStored, err)
	}
	if at := r.notification.At; at.After(r.at) {
		r.at = at
	}
	r.notification.ID = id
	return r, nil
}

func (d *Deliverer) remember(id string, r request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.recent[id]; ok {
		return
	}
	d.bytes += r.size
	for len(d.order) > 0 && (len(d.order) >= rememberedNotifications || d.bytes > rememberedBytes) {
		d.bytes -= d.recent[d.order[0]].size
		delete(d.recent, d.order[0])
		d.order = slices.Delete(d.order, 0, 1)
	}
	d.recent[id], d.order = r, append(d.order, id)
}

// carry is a notification's own entry of the ledger, for something that is planned: the
// plan may outlive the ledger's memory.
func carry(at time.Time, n route.Notification) (json.RawMessage, error) {
	body, err := natsx.Encode(n)
	if err != nil {
		return nil, err
	}
	return natsx.Encode(ledger.Entry{At: at, Body: body})
}

// carried reads what carry made, nil if there is nothing.
func carried(body json.RawMessage) (*ledger.Entry, error) {
	if len(body) == 0 {
		return nil, nil
	}
	var e ledger.Entry
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", errStored, err)
	}
	return &e, nil
}
