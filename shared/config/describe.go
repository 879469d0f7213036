package config

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Describe writes the effective settings, one a line with its value and source, for
// "tidings config". Secrets and the credentials in URLs are hidden.
func (s *Settings) Describe(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range s.fields() {
		text := f.text()
		if text == "" {
			text = "-"
		}
		// The tabwriter keeps a failed Write for Flush.
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", f.name, text, s.source[f.name])
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}
