package config

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// Option changes what Load and Usage do for one command.
type Option func(*options)

type options struct {
	defaults map[string]string
	flags    func(*flag.FlagSet)
}

// WithDefaults replaces defaults, by name ("nats-listen"), for a command that needs
// others. They rank below the file. An unknown name is a fault.
func WithDefaults(defaults map[string]string) Option {
	return func(o *options) { o.defaults = defaults }
}

// WithFlags lets a command add flags of its own, which Load parses along with those
// of the settings. The function must not use a setting's name.
func WithFlags(add func(*flag.FlagSet)) Option {
	return func(o *options) { o.flags = add }
}

// Load fills Settings from the defaults, the file, the environment (env is
// os.LookupEnv or a stand-in) and the flags in args. Flags and positional arguments
// may be mixed; the latter are returned in order. Everything after "--" is
// positional.
//
// All faults are found before Load returns; they are joined, each a *Fault. For -h
// and --help the error is flag.ErrHelp: print Usage.
func Load(args []string, env func(string) (string, bool), opts ...Option) (*Settings, []string, error) {
	l := newLoader(opts)
	rest, err := l.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil, nil, flag.ErrHelp
	}
	l.keep(err)
	l.applyDefaults()
	l.applyFile(env)
	for _, f := range l.fields {
		// Empty counts as not set: compose files pass variables on as empty.
		if text, ok := env(f.env()); ok && text != "" {
			l.apply(f, text, Source{Kind: "env", Name: f.env()})
		}
	}
	for _, f := range l.fields {
		if c := l.given[f.name]; c.set {
			l.apply(f, c.text, Source{Kind: "flag", Name: "--" + f.name})
		}
	}
	if l.settings.Node == "" {
		l.settings.Node = nodeName()
	}
	l.keep(l.settings.Validate())
	if err := errors.Join(l.faults...); err != nil {
		return nil, nil, err
	}
	return l.settings, rest, nil
}

// Usage writes the flags that Load takes with the same options: first the
// command's own, then the settings with their variables and defaults.
func Usage(w io.Writer, opts ...Option) error {
	l := newLoader(opts)
	var b strings.Builder
	l.flags.VisitAll(func(f *flag.Flag) {
		if l.given[f.Name] != nil {
			return
		}
		kind, help := flag.UnquoteUsage(f)
		entry(&b, f.Name, kind, help, "", f.DefValue)
	})
	for _, f := range l.fields {
		def, ok := l.options.defaults[f.name]
		if !ok {
			def = f.def
		}
		entry(&b, f.name, f.kind(), f.help, f.env(), def)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write usage: %w", err)
	}
	return nil
}

// entry writes one flag of a usage text.
func entry(b *strings.Builder, name, kind, help, env, def string) {
	var notes []string
	if env != "" {
		notes = append(notes, env)
	}
	if def != "" && def != "false" && def != "0" {
		notes = append(notes, "default "+def)
	}
	b.WriteString(strings.TrimRight("  --"+name+" "+kind, " ") + "\n        " + help)
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	b.WriteByte('\n')
}

// loader is the state of one Load.
type loader struct {
	options  options
	settings *Settings
	fields   []field
	flags    *flag.FlagSet
	given    map[string]*captured // what the flags of the settings got, by name
	faults   []error
}

// captured is a flag.Value that keeps its text for later. It shows nothing, as it
// may be a secret.
type captured struct {
	text string
	set  bool
	bare bool // may stand without a value, which then is true
}

// IsBoolFlag says that the flag needs no value, as package flag asks for it.
func (c *captured) IsBoolFlag() bool { return c.bare }

// String implements flag.Value.
func (c *captured) String() string { return "" }

// Set implements flag.Value.
func (c *captured) Set(text string) error {
	c.text, c.set = text, true
	return nil
}

func newLoader(opts []Option) *loader {
	l := &loader{settings: &Settings{source: map[string]Source{}}, given: map[string]*captured{}}
	for _, o := range opts {
		o(&l.options)
	}
	l.fields = l.settings.fields()
	l.flags = flag.NewFlagSet("", flag.ContinueOnError)
	l.flags.SetOutput(io.Discard)
	for _, f := range l.fields {
		c := &captured{bare: f.kind() == "bool"}
		l.given[f.name] = c
		l.flags.Var(c, f.name, f.help)
	}
	if l.options.flags != nil {
		l.options.flags(l.flags)
	}
	return l
}

// keep adds an error, if there is one, to what Load reports.
func (l *loader) keep(err error) {
	if err != nil {
		l.faults = append(l.faults, err)
	}
}

// apply sets one field and notes the source. A value that cannot be read leaves
// the field as it was, so that it is not judged twice.
func (l *loader) apply(f field, text string, from Source) {
	l.note(f, text, from, f.set(text))
}

// note records the outcome of setting a field.
func (l *loader) note(f field, text string, from Source, err error) {
	if err == nil {
		l.settings.source[f.name] = from
		return
	}
	problem := strings.ReplaceAll(err.Error(), "\n", "; ")
	if text != "" && !f.hides() {
		problem = shown(text) + " " + problem
	}
	l.keep(&Fault{Setting: f.name, Source: from, Problem: problem})
}

// applyDefaults sets every field to its default or the command's.
func (l *loader) applyDefaults() {
	known := make(map[string]bool, len(l.fields))
	for _, f := range l.fields {
		known[f.name] = true
		text, ok := l.options.defaults[f.name]
		if !ok {
			text = f.def
		}
		from := Source{Kind: "default"}
		l.settings.source[f.name] = from
		if text != "" {
			l.apply(f, text, from)
		}
	}
	for name := range l.options.defaults {
		if !known[name] {
			l.keep(&Fault{Setting: name, Source: Source{Kind: "default"}, Problem: "the command gives a default to a setting that does not exist"})
		}
	}
}

// parse reads the flags, mixed with positional arguments, which it returns. The
// standard library's Parse stops at the first of either a positional argument or a
// fault; the rules for a single argument are the same.
func (l *loader) parse(args []string) (rest []string, err error) {
	var faults []error
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			rest = append(rest, args...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		name, value, has := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		f := l.flags.Lookup(name)
		switch {
		case f == nil && (name == "h" || name == "help"):
			return nil, flag.ErrHelp
		case f == nil:
			faults = append(faults, l.unknownFlag(name))
			continue
		}
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); !has && ok && b.IsBoolFlag() {
			value, has = "true", true
		}
		if !has {
			if len(args) == 0 {
				faults = append(faults, flagFault(name, "needs a value"))
				break
			}
			value, args = args[0], args[1:]
		}
		if err := l.flags.Set(name, value); err != nil {
			faults = append(faults, flagFault(name, "has a value that cannot be read: "+err.Error()))
		}
	}
	return rest, errors.Join(faults...)
}

func (l *loader) unknownFlag(name string) error {
	var names []string
	l.flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	problem := "there is no such flag"
	if near := nearest(strings.ReplaceAll(strings.ToLower(name), "_", "-"), names); near != "" {
		problem += "; did you mean --" + near + "?"
	}
	if len(name) > maxShown {
		name = name[:maxShown] + "…"
	}
	return flagFault(name, problem)
}

func flagFault(name, problem string) error {
	return &Fault{Setting: name, Source: Source{Kind: "flag", Name: "--" + name}, Problem: problem}
}

// nodeName makes a name for this process: the host's first label and a random
// part, since a restarted process must not be taken for its predecessor.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	host, _, _ = strings.Cut(host, ".")
	host = strings.Map(func(r rune) rune {
		if nodeRune(r) {
			return r
		}
		return '-'
	}, host)
	if host == "" {
		host = "node"
	}
	return host[:min(len(host), maxNode-7)] + "-" + strings.ToLower(rand.Text()[:6])
}
