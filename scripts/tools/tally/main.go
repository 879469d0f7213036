package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// errFailed ends the program with status 1; what failed has been told by then.
var errFailed = errors.New("tests failed")

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

// run is main without the process around it.
func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("tally", flag.ContinueOnError)
	counts := flags.String("counts", "", "append a line \"PASSED FAILED\" to this file")
	least := flags.Int("min", 1, "fail if fewer tests passed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	t := newTally(out)
	if err := t.read(in); err != nil {
		return err
	}
	if *counts != "" {
		if err := appendLine(*counts, fmt.Sprintf("%d %d\n", t.passed, t.failed)); err != nil {
			return err
		}
	}
	switch {
	case t.failed > 0:
		return fmt.Errorf("%w: %d of %d", errFailed, t.failed, t.passed+t.failed)
	case t.passed < *least:
		return fmt.Errorf("%w: %d passed, at least %d expected", errFailed, t.passed, *least)
	}
	return nil
}

// appendLine adds a line to a file, which it makes if need be.
func appendLine(name, line string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}
