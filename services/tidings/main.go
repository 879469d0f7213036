package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitFailed = 1 // it went wrong
	exitUsage  = 2 // it was asked for wrongly
)

// errUsage marks an error that the command line caused.
var errUsage = errors.New("usage")

// command is one sub-command.
type command struct {
	name, args, summary string
	run                 func(context.Context, *program, []string) error
}

// program is what a command may touch of the outside world.
type program struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)
	self     string // how the user called us, for hints
}

// commands lists all sub-commands in the order in which one meets them.
func commands() []command {
	return []command{
		{"dev", "", "run everything on this machine, with an embedded NATS and a live console", runDev},
		{"up", "SERVICE…", "run services for production: edge, producer, console, notifier, mailer", runUp},
		{"token", "[USER]", "print a token", runToken},
		{"pub", "TOPIC [DATA]", "publish an event; DATA is read from standard input if it is - or left out", runPub},
		{"sub", "PATTERN…", "print events as they come", runSub},
		{"notify", "WHOM [TITLE]", "notify people: ann,bob or topic:room.ops", runNotify},
		{"dead", "VERB [NUMBER…]", "deliveries that were given up: ls, show, redrive, drop", runDead},
		{"bench", "[SCENARIO…]", "measure a server: what a delivery and a connection cost, and whether everything arrives", runBench},
		{"config", "", "print the effective settings and where they come from", runConfig},
		{"version", "", "print the version", runVersion},
	}
}

// gcPercent makes the collector run twice as often as Go's default: an edge's heap
// is mostly idle connections and the tail, which it would otherwise double.
const gcPercent = 50

// roomyPercent is for processes without an edge: their heap is small and all of it passes
// through, so to collect it rarely costs a few MiB and saves a fifth of their CPU time
// (tidings bench notify).
const roomyPercent = 200

// tuneGC sets how often the collector runs, unless somebody else has.
func tuneGC(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

func main() {
	tuneGC(gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A stop can take as long as streams may drain; whoever asks twice is in a hurry
	// and gets what a signal does by itself.
	context.AfterFunc(ctx, stop)
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv, self: selfName(os.Args[0])}
	code := p.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// main runs one command line and returns the exit code.
func (p *program) main(ctx context.Context, args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		p.usage(p.out)
		if len(args) == 0 {
			return exitUsage
		}
		return 0
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, p, args[1:])
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, context.Canceled) && ctx.Err() != nil:
			return 0 // told to stop
		case errors.Is(err, errUsage):
			fmt.Fprintf(p.err, "%s %s: %v\n\nRun “%s %s --help” for what there is.\n", p.self, c.name, strings.TrimPrefix(err.Error(), errUsage.Error()+": "), p.self, c.name)
			return exitUsage
		}
		fmt.Fprintf(p.err, "%s %s: %v\n", p.self, c.name, err)
		return exitFailed
	}
	fmt.Fprintf(p.err, "%s: there is no command %q\n\n", p.self, args[0])
	p.usage(p.err)
	return exitUsage
}

func (p *program) usage(w io.Writer) {
	fmt.Fprintf(w, "Tidings delivers events to browsers and notifications to people.\n\nUsage: %s COMMAND [FLAGS]\n\n", p.self)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-22s %s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
	fmt.Fprintf(w, "\nEvery command takes --help. Settings come from --config, TIDINGS_… variables and flags.\n")
}

// selfName is what to type to get here again: go run builds into a directory of
// its own, which nobody would want to type.
func selfName(arg0 string) string {
	if strings.Contains(arg0, "go-build") {
		return "go run ./services/tidings"
	}
	return "tidings"
}
