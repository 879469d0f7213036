package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// Formats that NewLogger takes.
const (
	// FormatText is one line of key=value pairs, for people.
	FormatText = "text"
	// FormatJSON is one JSON object a line, for collectors.
	FormatJSON = "json"
)

// NewLogger makes a logger that writes to w. The format is FormatText or
// FormatJSON and the level is one of debug, info, warn and error; anything else
// is an error. Records are written whole, one Write each.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	l, err := ParseLevel(level)
	if err != nil {
		return nil, err
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case FormatText:
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case FormatJSON:
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("log format %q: must be %s or %s", format, FormatText, FormatJSON)
}

// ParseLevel reads debug, info, warn or error, in lower case. slog's own parser
// also takes forms such as "INFO+2", which mean nothing to an operator.
func ParseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log level %q: must be debug, info, warn or error", s)
}
