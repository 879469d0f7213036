package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"runtime/debug"

	"tidings/shared/config"
	"tidings/shared/telemetry"
)

// devDefaults are the settings in which development differs: nothing is reachable
// from other machines, and the nats CLI finds the embedded server where it looks.
var devDefaults = map[string]string{"http": "127.0.0.1:8080", "nats-listen": "127.0.0.1:4222"}

// load reads the settings and the command's own flags. It prints the help itself
// and then returns flag.ErrHelp.
func (p *program) load(c string, args []string, own func(*flag.FlagSet), defaults map[string]string) (*config.Settings, []string, error) {
	opts := []config.Option{config.WithDefaults(defaults)}
	if own != nil {
		opts = append(opts, config.WithFlags(own))
	}
	s, rest, err := config.Load(args, p.env, opts...)
	if errors.Is(err, flag.ErrHelp) {
		return nil, nil, p.help(c, opts)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return s, rest, nil
}

// help prints what a command takes.
func (p *program) help(name string, opts []config.Option) error {
	for _, c := range commands() {
		if c.name == name {
			fmt.Fprintf(p.out, "%s %s %s\n\n%s.\n\nFlags:\n", p.self, c.name, c.args, c.summary)
		}
	}
	if err := config.Usage(p.out, opts...); err != nil {
		return err
	}
	return flag.ErrHelp
}

// logger makes the process's logger from the settings.
func (p *program) logger(s *config.Settings) (*slog.Logger, error) {
	log, err := telemetry.NewLogger(p.err, s.LogFormat, s.LogLevel)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return log, nil
}

// version returns what the build says about itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
