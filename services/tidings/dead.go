package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tidings/shared/worker"
)

// deadVerbs are what can be done with dead letters.
const deadVerbs = "ls, show, redrive, drop"

// runDead shows the jobs that were given up, has them tried again, or drops them.
func runDead(ctx context.Context, p *program, args []string) error {
	var f worker.Filter
	var reason string
	var all bool
	s, rest, err := p.load("dead", args, func(fs *flag.FlagSet) {
		fs.StringVar(&f.Channel, "channel", "", "`name` of the channel, such as mail; empty for all")
		fs.StringVar(&f.Notification, "notification", "", "`id` of the notification; empty for all")
		fs.StringVar(&reason, "reason", "", "`reason`: attempts, permanent, unsure or malformed; empty for all")
		fs.BoolVar(&all, "all", false, "redrive or drop every letter that the other flags select")
	}, map[string]string{"log-level": "warn"})
	if err != nil {
		return err
	}
	f.Reason = worker.Reason(reason)
	if len(rest) == 0 {
		return fmt.Errorf("%w: dead takes what to do: %s", errUsage, deadVerbs)
	}
	do, err := p.deadVerb(rest[0], rest[1:], f, all)
	if err != nil {
		return err
	}
	conn, _, space, err := p.attach(ctx, s)
	if err != nil {
		return err
	}
	defer conn.Close()
	queue, err := worker.Attach(ctx, conn, space)
	if err != nil {
		return err
	}
	return do(ctx, queue)
}

// deadVerb returns what a verb does. What is asked for wrongly is said before NATS is
// looked for.
func (p *program) deadVerb(verb string, rest []string, f worker.Filter, all bool) (func(context.Context, *worker.Queue) error, error) {
	known := []worker.Reason{"", worker.ReasonAttempts, worker.ReasonPermanent, worker.ReasonUnsure, worker.ReasonMalformed}
	if !slices.Contains(known, f.Reason) {
		return nil, fmt.Errorf("%w: --reason %q is none of attempts, permanent, unsure and malformed", errUsage, f.Reason)
	}
	numbers := make([]uint64, len(rest))
	for i, n := range rest {
		var err error
		if numbers[i], err = strconv.ParseUint(n, 10, 64); err != nil {
			return nil, fmt.Errorf("%w: %q is no number of a letter", errUsage, n)
		}
	}
	switch {
	case verb == "ls" && len(numbers) == 0:
		return func(ctx context.Context, q *worker.Queue) error { return p.listDead(ctx, q, f) }, nil
	case verb == "show" && len(numbers) == 1:
		return func(ctx context.Context, q *worker.Queue) error {
			return eachDead(numbers, func(seq uint64) error { return p.showDead(ctx, q, seq) })
		}, nil
	case verb == "redrive" && all && len(numbers) == 0:
		return func(ctx context.Context, q *worker.Queue) error {
			redriven, skipped, err := q.RedriveAll(ctx, f)
			fmt.Fprintf(p.out, "%d redriven, %d skipped\n", redriven, skipped)
			return err
		}, nil
	case verb == "redrive" && !all && len(numbers) > 0:
		return func(ctx context.Context, q *worker.Queue) error {
			return eachDead(numbers, func(seq uint64) error { return q.Redrive(ctx, seq) })
		}, nil
	case verb == "drop" && all && len(numbers) == 0:
		return func(ctx context.Context, q *worker.Queue) error {
			dropped, err := q.DropAll(ctx, f)
			fmt.Fprintf(p.out, "%d dropped\n", dropped)
			return err
		}, nil
	case verb == "drop" && !all && len(numbers) > 0:
		return func(ctx context.Context, q *worker.Queue) error {
			return eachDead(numbers, func(seq uint64) error { return q.Drop(ctx, seq) })
		}, nil
	}
	return nil, fmt.Errorf("%w: dead takes one of %s, and the numbers of letters, or --all for redrive and drop", errUsage, deadVerbs)
}

// eachDead does something with every letter that is named, and stops at the first fault.
func eachDead(numbers []uint64, do func(seq uint64) error) error {
	for _, seq := range numbers {
		if err := do(seq); err != nil {
			return fmt.Errorf("letter %d: %w", seq, err)
		}
	}
	return nil
}

// listDead prints the letters as a table.
func (p *program) listDead(ctx context.Context, q *worker.Queue, f worker.Filter) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tDIED\tCHANNEL\tRECIPIENT\tNOTIFICATION\tREASON\tTRIES\tERROR")
	for after, more := uint64(0), true; more; {
		page, err := q.List(ctx, f, after, worker.MaxLetters)
		if err != nil {
			return err
		}
		for _, l := range page.Letters {
			recipient, notification := "-", "-"
			if l.Job != nil {
				recipient, notification = l.Job.Recipient, l.Job.Notification
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", l.Seq, l.Died.Local().Format(time.DateTime), l.Channel, recipient,
				notification, l.Reason, l.Attempts, firstLine(l.Error))
		}
		after, more = page.Next, page.More
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// showDead prints a letter as JSON.
func (p *program) showDead(ctx context.Context, q *worker.Queue, seq uint64) error {
	l, err := q.Show(ctx, seq)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("json.Marshal: %w", err)
	}
	fmt.Fprintln(p.out, string(data))
	return nil
}

// maxErrorShown is how much of an error the table has room for.
const maxErrorShown = 100

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > maxErrorShown {
		s = strings.ToValidUTF8(s[:maxErrorShown], "") + "…"
	}
	return s
}
