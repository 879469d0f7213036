package notices

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"

	"tidings/shared/natsx"
)

const (
	// publishing is how many publishes of the floor are under way, as many as the notifier
	// decides at once.
	publishing = 32
	// floorBytes is the size of their messages: about that of receipts and jobs.
	floorBytes = 400
	// floorStream is their stream, below the prefix.
	floorStream = "FLOOR"
	// floorShare is how many notifications one measurement stands for, and floorEach how
	// many messages it stores for each: about what one takes, so that both parts are
	// measured for as long as they weigh.
	floorShare = 2000
	floorEach  = 12
)

// Floor is what storing and mailing cost without anybody who decides anything. The zero
// Floor is to be measured.
type Floor struct {
	publishes, mails         int
	publishTook, mailTook    time.Duration
	publishUsed, mailingUsed time.Duration // CPU of all processes
}

// Measure measures it, for as many notifications at most, with mails of a size over some
// connections, and adds that to what was measured before. used is the CPU time that the
// bench and NATS have used so far.
func (f *Floor) Measure(ctx context.Context, conn *natsx.Conn, prefix string, most, size, conns int, used func() (time.Duration, error)) error {
	share := min(floorShare, max(most, 1))
	sink, err := NewSink(ctx, NewBooks(1, 1))
	if err != nil {
		return err
	}
	measured := func(do func() (time.Duration, error), took, cpu *time.Duration) error {
		before, err := used()
		if err != nil {
			return err
		}
		t, err := do()
		if err != nil {
			return err
		}
		after, err := used()
		*took, *cpu = *took+t, *cpu+after-before
		return err
	}
	err = measured(func() (time.Duration, error) { return publishes(ctx, conn, prefix, share*floorEach) }, &f.publishTook, &f.publishUsed)
	if err == nil {
		err = measured(func() (time.Duration, error) { return mails(ctx, sink.Addr(), conns, share, size) }, &f.mailTook, &f.mailingUsed)
	}
	f.publishes, f.mails = f.publishes+share*floorEach, f.mails+share
	return errors.Join(err, sink.Close())
}

// of returns the floor of a notification that takes so many messages: the time it takes
// at least, and the CPU time of all who take part, in microseconds.
func (f *Floor) of(messages float64) (took, cpu float64) {
	return messages*ratio(micros(f.publishTook), float64(f.publishes)) + ratio(micros(f.mailTook), float64(f.mails)),
		messages*ratio(micros(f.publishUsed), float64(f.publishes)) + ratio(micros(f.mailingUsed), float64(f.mails))
}

// publishes stores so many messages, each under a subject of its own, in a stream that it
// makes and removes, and returns how long that took.
func publishes(ctx context.Context, conn *natsx.Conn, prefix string, n int) (took time.Duration, err error) {
	name, room := prefix+"_"+floorStream, prefix+".floor."
	config := map[string]any{
		"name": name, "subjects": []string{room + "*"}, "storage": "file", "retention": "limits", "discard": "old", "num_replicas": 1,
		"max_msgs": -1, "max_bytes": -1, "max_consumers": -1, "max_msg_size": -1, "max_age": 0, "allow_direct": true,
	}
	if err := ask(ctx, conn, "STREAM.CREATE."+name, config, &struct{}{}); err != nil {
		return 0, fmt.Errorf("the floor's stream: %w", err)
	}
	defer func() { err = errors.Join(err, conn.JS.DeleteStream(context.WithoutCancel(ctx), name)) }()
	data := []byte(strings.Repeat("x", floorBytes))
	began := time.Now()
	err = together(ctx, publishing, n, func(ctx context.Context, next func() (int, bool)) error {
		for i, more := next(); more; i, more = next() {
			if _, err := conn.JS.Publish(ctx, room+strconv.Itoa(i), data); err != nil {
				return fmt.Errorf("publish for the floor: %w", err)
			}
		}
		return nil
	})
	return time.Since(began), err
}

// mails sends so many mails of a size to a sink over some connections, and returns how
// long that took. The sink's books count them as strays.
func mails(ctx context.Context, addr string, conns, n, size int) (time.Duration, error) {
	text := "Subject: floor\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", size/72+1)
	began := time.Now()
	err := together(ctx, conns, n, func(_ context.Context, next func() (int, bool)) error {
		c, err := smtp.Dial(addr)
		if err != nil {
			return fmt.Errorf("mail for the floor: %w", err)
		}
		defer func() { _ = c.Close() }()
		for i, more := next(); more; i, more = next() {
			if err := c.SendMail("bench@sender.example", []string{email(strconv.Itoa(i))}, strings.NewReader(text)); err != nil {
				return fmt.Errorf("mail for the floor: %w", err)
			}
		}
		return nil
	})
	return time.Since(began), err
}

// together has some goroutines share the numbers below n.
func together(ctx context.Context, some, n int, work func(ctx context.Context, next func() (int, bool)) error) error {
	var count atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	next := func() (int, bool) {
		i := int(count.Add(1)) - 1
		return i, i < n && ctx.Err() == nil
	}
	for range min(some, n) {
		g.Go(func() error { return work(ctx, next) })
	}
	return g.Wait()
}
