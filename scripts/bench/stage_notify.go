package bench

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"tidings/scripts/bench/notices"
	"tidings/scripts/bench/server"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

const (
	// noticeRate is how many notifications a second are sent while it is measured how long
	// each takes: far below what the server can do.
	noticeRate = 50
	// sinkConns is how many connections the mailer has to the sink, which takes any number;
	// a provider allows some four, and is further away.
	sinkConns = 16
	// noticesPatience is how long no mail may come before what is missing counts as lost:
	// longer than the pause before a job is tried again.
	noticesPatience = 90 * time.Second
	// natsWord is the argument with which this program is a NATS server.
	natsWord = "nats"
)

// openNotices makes what notify needs beside the server: a NATS server of its own, unless
// there is one, and the sink of the mails.
func (t *target) openNotices(ctx context.Context, o *Options, cfg *server.Config) (err error) {
	t.books = notices.NewBooks(o.paced()+o.Notifications, o.People)
	if t.sink, err = notices.NewSink(ctx, t.books); err != nil {
		return err
	}
	cfg.Services = []string{"notifier", "mailer"}
	cfg.Args = append(cfg.Args, "--smtp", t.sink.URL(sinkConns), "--mail-from", "bench@sender.example")
	if cfg.NATS != "" {
		return nil
	}
	if t.broker, err = server.StartNATS(ctx, o.Program, []string{"bench", natsWord}, o.Progress); err != nil {
		return err
	}
	cfg.NATS, t.natsPID = t.broker.URL, t.broker.PID()
	return nil
}

// NATS is the child process that is a NATS server: it listens on the address that is the
// first argument and keeps its streams in the directory that is the second, until ctx
// ends.
func NATS(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("nats takes an address and a directory")
	}
	conn, err := natsx.Open(ctx, natsx.Config{Name: "bench", Listen: args[0], Dir: args[1]}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	<-ctx.Done()
	conn.Close()
	return nil
}

// notify has notifications accepted, routed and mailed.
func (b *bench) notify(ctx context.Context) error {
	o, t := b.o, b.target
	if !o.notify() {
		return nil
	}
	token, err := t.mintNotify()
	if err != nil {
		return err
	}
	client := notices.NewClient(t.url, token, t.books, o.Size)
	defer client.Close()
	b.say("importing %d people", o.People)
	if err := client.Import(ctx); err != nil {
		return err
	}
	r := notices.Result{Notifications: o.Notifications, People: o.People, Paced: noticeRate, Latency: t.books.Measure()}
	b.say("%d notifications one by one", o.paced())
	if r.Accept, err = client.Pace(ctx, 0, o.paced(), noticeRate); err != nil {
		return err
	}
	if err := t.books.Await(ctx, o.paced(), noticesPatience); err != nil {
		return err
	}
	t.books.Measure()
	for _, step := range []func() error{
		func() error { return b.noticeFloor(ctx, &r.Floor) },
		func() error { return b.flood(ctx, client, &r) },
		func() error { return b.noticeFloor(ctx, &r.Floor) },
		func() error { return b.shortInboxes(ctx, &r) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	r.Counts = t.books.Counts(o.paced() + o.Notifications)
	b.add(r.Section(Notify, func(before float64) float64 { return before*goalGrowth + goalSlack }))
	return nil
}

// flood posts the notifications, waits for their mails and looks at the server meanwhile.
func (b *bench) flood(ctx context.Context, client *notices.Client, r *notices.Result) error {
	o, t := b.o, b.target
	b.say("%d notifications as fast as they are accepted", o.Notifications)
	stored, err := notices.Stored(ctx, t.conn, t.space.Prefix())
	if err != nil {
		return err
	}
	before, err := b.usage()
	if err != nil {
		return err
	}
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	from, began, posted := o.paced(), time.Now(), make(chan error, 1)
	go func() {
		var err error
		r.Batch, err = client.Flood(within, from, from+o.Notifications)
		r.Accepted = time.Since(began)
		if err != nil {
			cancel(err) // nobody need wait for the mails
		}
		posted <- err
	}()
	for i, share := range []int{10, 50, 100} {
		if err = t.books.Await(within, from+(share*o.Notifications+99)/100, noticesPatience); err != nil {
			break
		}
		r.Took = time.Since(began)
		if r.Looks[i], err = b.lookAtNotices(within, before, &r.CPU); err != nil {
			break
		}
	}
	if err != nil {
		cancel(err)
	}
	if err := errors.Join(<-posted, err); err != nil {
		return err
	}
	r.Stored, err = notices.Stored(ctx, t.conn, t.space.Prefix())
	r.Stored -= stored
	return err
}

// lookAtNotices samples the services and NATS, their CPU time since before, and after a
// collection their memory.
func (b *bench) lookAtNotices(ctx context.Context, before usage, cpu *notices.CPU) (look notices.Look, err error) {
	u, err := b.usage()
	if err != nil {
		return look, err
	}
	*cpu = notices.CPU{Services: u.server.CPU - before.server.CPU, NATS: u.nats.CPU - before.nats.CPU, Bench: u.self.CPU - before.self.CPU}
	if err := b.target.admin.Collect(ctx); err != nil {
		return look, err
	}
	page, err := b.target.admin.Metrics(ctx)
	if err != nil {
		return look, err
	}
	if look.Heap, err = page.Value(metricHeapInUse); err != nil {
		return look, err
	}
	u, err = b.usage()
	look.RSS, look.NATS = float64(u.server.RSS), float64(u.nats.RSS)
	return look, err
}

// shortInboxes counts the inboxes that do not have what they should.
func (b *bench) shortInboxes(ctx context.Context, r *notices.Result) error {
	o, t := b.o, b.target
	have, err := notices.Inboxes(ctx, t.conn, t.space.Stream(stream.NameInbox), t.space.InboxItems("*"))
	if err != nil {
		return err
	}
	for user, n := range t.books.Shares(o.paced() + o.Notifications) {
		if have[subject.Escape(user)] != n {
			r.Short++
		}
	}
	return nil
}

// noticeFloor measures the floor.
func (b *bench) noticeFloor(ctx context.Context, f *notices.Floor) error {
	b.say("measuring bare publishes and mails")
	t := b.target
	return f.Measure(ctx, t.conn, t.space.Prefix(), b.o.Notifications/2, t.books.MailBytes(), sinkConns, func() (time.Duration, error) {
		u, err := b.usage()
		return u.nats.CPU + u.self.CPU, err
	})
}
