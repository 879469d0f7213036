package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"tidings/shared/mesh"
	"tidings/shared/subject"
)

const (
	// notifier and notifyQuestion are the service and its question that take notifications.
	notifier, notifyQuestion = "notifier", "notify"
	// notifyWait is how long the notifier may take to store a notification.
	notifyWait = 10 * time.Second
)

// notifyFlags are what can be said of a notification on the command line. The names are
// those of its JSON, except that its data comes --with it: --data is a setting.
type notifyFlags struct {
	category, body, template, with, severity, collapse, at, expires, id string
}

// runNotify has a notification told to people and prints its id.
func runNotify(ctx context.Context, p *program, args []string) error {
	var f notifyFlags
	s, rest, err := p.load("notify", args, func(fs *flag.FlagSet) {
		fs.StringVar(&f.category, "category", "", "`name` of the category, such as orders; empty for the default one")
		fs.StringVar(&f.body, "body", "", "`text` below the title; - reads it from standard input")
		fs.StringVar(&f.template, "template", "", "`name` of a template that makes title and body of the data")
		fs.StringVar(&f.with, "with", "", "JSON `object` for the template and the application")
		fs.StringVar(&f.severity, "severity", "", "`severity`: low, normal, high or critical")
		fs.StringVar(&f.collapse, "collapse", "", "`key`: a later notification with the same one takes this one's place")
		fs.StringVar(&f.at, "at", "", "`time` to begin, RFC 3339, or a duration from now such as 10m")
		fs.StringVar(&f.expires, "expires", "", "`time` from when on it is worthless, as for --at")
		fs.StringVar(&f.id, "id", "", "`id`; the same id is told once")
	}, map[string]string{"log-level": "warn"})
	if err != nil {
		return err
	}
	if len(rest) < 1 || len(rest) > 2 || len(rest) == 1 && f.template == "" {
		return fmt.Errorf("%w: notify takes whom to tell (ann,bob or topic:room.ops) and a title", errUsage)
	}
	document, err := p.notification(f, rest, time.Now())
	if err != nil {
		return err
	}
	conn, _, space, err := p.attach(ctx, s)
	if err != nil {
		return err
	}
	defer conn.Close()
	log, err := p.logger(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, notifyWait)
	defer cancel()
	var accepted struct {
		ID         string    `json:"id"`
		Recipients int       `json:"recipients"`
		At         time.Time `json:"at"`
		Duplicate  bool      `json:"duplicate"`
	}
	err = mesh.New(conn, space, log).AskAny(ctx, notifier, notifyQuestion, document, &accepted)
	if errors.Is(err, mesh.ErrNobody) {
		return errors.New("no notifier is running here; “tidings dev” has one, and so has “tidings up notifier”")
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, accepted.ID)
	return nil
}

// notification makes the document that the notifier takes.
func (p *program) notification(f notifyFlags, rest []string, now time.Time) (map[string]any, error) {
	document := map[string]any{"to": recipients(rest[0])}
	if len(rest) == 2 {
		document["title"] = rest[1]
	}
	if f.body == "-" {
		body, err := io.ReadAll(io.LimitReader(p.in, mesh.MaxShared))
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		f.body = string(body)
	}
	for name, value := range map[string]string{
		"category": f.category, "body": f.body, "template": f.template, "severity": f.severity, "collapse": f.collapse, "id": f.id,
	} {
		if value != "" {
			document[name] = value
		}
	}
	for name, value := range map[string]string{"at": f.at, "expires": f.expires} {
		if d, err := time.ParseDuration(value); err == nil {
			value = now.Add(d).UTC().Format(time.RFC3339)
		}
		if value != "" {
			document[name] = value
		}
	}
	if f.with != "" {
		if !json.Valid([]byte(f.with)) {
			return nil, fmt.Errorf("%w: --with is not JSON", errUsage)
		}
		document["data"] = json.RawMessage(f.with)
	}
	return document, nil
}

// recipients reads a list of users and topics: "ann,topic:room.ops".
func recipients(list string) []any {
	var out []any
	for one := range strings.SplitSeq(list, ",") {
		if topic, ok := strings.CutPrefix(one, "topic:"); ok {
			out = append(out, map[string]any{"topic": subject.Topic(topic)})
		} else {
			out = append(out, one)
		}
	}
	return out
}
