package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"tidings/shared/config"
	"tidings/shared/event"
	"tidings/shared/natsx"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// connectWait bounds how long a tool waits for NATS: a person is waiting too.
const connectWait = 5 * time.Second

// attach connects to the NATS of a running Tidings and finds its log.
func (p *program) attach(ctx context.Context, s *config.Settings) (*natsx.Conn, *stream.NATS, subject.Space, error) {
	fail := func(err error) (*natsx.Conn, *stream.NATS, subject.Space, error) {
		return nil, nil, subject.Space{}, err
	}
	space, err := subject.NewSpace(s.Prefix)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", errUsage, err))
	}
	log, err := p.logger(s)
	if err != nil {
		return fail(err)
	}
	url := s.NATS.Reveal()
	if url == "" {
		url = nats.DefaultURL // where “tidings dev” listens
	}
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	conn, err := natsx.Open(ctx, natsx.Config{URL: url, Creds: s.NATSCreds, Name: "tidings-cli"}, log)
	if err != nil {
		return fail(err)
	}
	events, err := stream.AttachNATS(ctx, conn, space, log)
	if err != nil {
		conn.Close()
		return fail(err)
	}
	return conn, events, space, nil
}

// runPub publishes one event and prints its cursor.
func runPub(ctx context.Context, p *program, args []string) error {
	var ev event.Event
	var ephemeral bool
	s, rest, err := p.load("pub", args, func(fs *flag.FlagSet) {
		fs.StringVar(&ev.Type, "type", event.DefaultType, "`type` of the event")
		fs.StringVar(&ev.ID, "id", "", "`id` of the event; the same id is stored once")
		fs.StringVar(&ev.Source, "source", "", "`name` of the publisher")
		fs.StringVar(&ev.ContentType, "content-type", "", "`media type` of the data; empty for JSON if it is, else text")
		fs.BoolVar(&ephemeral, "ephemeral", false, "do not store; whoever is connected gets it")
	}, map[string]string{"log-level": "warn"})
	if err != nil {
		return err
	}
	if len(rest) < 1 || len(rest) > 2 {
		return fmt.Errorf("%w: pub takes a topic and the data", errUsage)
	}
	if ev.Topic, err = subject.ParseTopic(rest[0]); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if len(rest) == 2 && rest[1] != "-" {
		ev.Data = []byte(rest[1])
	} else if ev.Data, err = io.ReadAll(io.LimitReader(p.in, event.MaxData+1)); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	if err := ev.Check(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	conn, log, space, err := p.attach(ctx, s)
	if err != nil {
		return err
	}
	defer conn.Close()
	if ephemeral {
		m := &nats.Msg{Subject: space.Ephemeral(subject.Pattern(ev.Topic)), Header: nats.Header(ev.Header()), Data: ev.Data}
		if err := conn.NC.PublishMsg(m); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		ctx, cancel := context.WithTimeout(ctx, connectWait)
		defer cancel()
		if err := conn.NC.FlushWithContext(ctx); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		return nil
	}
	key := ""
	if ev.ID != "" {
		key = string(ev.Topic) + " " + ev.ID
	}
	ack, err := log.Append(ctx, ev, key)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, ack.Cursor)
	return nil
}

// runSub prints events until it is told to stop.
func runSub(ctx context.Context, p *program, args []string) error {
	var since string
	var asJSON bool
	s, rest, err := p.load("sub", args, func(fs *flag.FlagSet) {
		fs.StringVar(&since, "since", "", "`cursor` to go on from, or all for everything the log holds")
		fs.BoolVar(&asJSON, "json", false, "print each event as one line of JSON with its cursor")
	}, map[string]string{"log-level": "warn"})
	if err != nil {
		return err
	}
	patterns, err := parsePatterns(rest)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	conn, log, _, err := p.attach(ctx, s)
	if err != nil {
		return err
	}
	defer conn.Close()
	after, err := startOf(ctx, log, since)
	if err != nil {
		return err
	}
	epoch := ""
	return log.Follow(ctx, after, stream.Handler{
		Epoch: func(c event.Cursor) {
			if since != "" && since != "all" && c != after {
				fmt.Fprintf(p.err, "history between %s and %s is gone\n", after, c)
			}
			epoch = c.Epoch
		},
		Entry: func(e stream.Entry) {
			for _, pattern := range patterns {
				if e.Event.Topic != "" && pattern.Match(e.Event.Topic) {
					p.print(e.Event, event.Cursor{Epoch: epoch, Seq: e.Seq}, asJSON)
					return
				}
			}
		},
		Health: func(_ uint64, err error) {
			if err != nil {
				fmt.Fprintf(p.err, "waiting: %v\n", err)
			}
		},
	})
}

func parsePatterns(args []string) ([]subject.Pattern, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("sub takes topics or patterns, such as room.ops or '>'")
	}
	list := make([]subject.Pattern, len(args))
	for i, a := range args {
		p, err := subject.ParsePattern(a)
		if err != nil {
			return nil, err
		}
		list[i] = p
	}
	return list, nil
}

// startOf turns --since into a position; without one it is the log's end.
func startOf(ctx context.Context, log stream.Log, since string) (event.Cursor, error) {
	x, err := log.Epoch(ctx)
	if err != nil {
		return event.Cursor{}, err
	}
	switch since {
	case "":
		return event.Cursor{Epoch: x.Epoch, Seq: x.Last}, nil
	case "all":
		return event.Cursor{Epoch: x.Epoch, Seq: x.First - 1}, nil
	}
	c, err := event.ParseCursor(since)
	if err != nil {
		return c, fmt.Errorf("%w: --since: %w", errUsage, err)
	}
	return c, nil
}

// print writes one event for a person, or as JSON for a program.
func (p *program) print(ev event.Event, at event.Cursor, asJSON bool) {
	line := ev.AppendJSONCursor(nil, at)
	if asJSON {
		fmt.Fprintf(p.out, "%s\n", inertJSON(line))
		return
	}
	var e struct {
		Data json.RawMessage `json:"data"`
		Raw  string          `json:"data_base64"`
	}
	data := ""
	if err := json.Unmarshal(line, &e); err == nil {
		data = string(e.Data) + e.Raw
	}
	fmt.Fprintf(p.out, "%s  %s  %s  %s  %s\n", at, ev.Time.Local().Format("15:04:05.000"), ev.Topic, ev.Type, inert(data))
}

// inertJSON is inert for JSON, which stays the same value: what could steer a
// terminal and JSON allows stands in its strings, where it can be escaped.
func inertJSON(line []byte) string {
	var b strings.Builder
	for _, r := range string(line) {
		if steers(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// inert keeps an event from steering the terminal.
func inert(s string) string {
	return strings.Map(func(r rune) rune {
		if steers(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// steers reports whether a terminal would act on r.
func steers(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
