package httpx

import (
	"errors"
	"net/http"
	"os"
	"time"
)

// StreamPiece is how much of a stream must go out within the stall time: at 16 KiB
// a minute a reader counts as slow, not as stalled.
const StreamPiece = 16 << 10

// ErrStalled says that the client of a stream took nothing for the stall time.
var ErrStalled = errors.New("the client did not read")

// StreamWriter writes a response that stays open: each Write is flushed, and what
// is bounded is not how long a slow client may take but how long it may take
// nothing. It works on every transport net/http serves and belongs to one
// goroutine.
type StreamWriter struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	stall time.Duration
	fires bool // a deadline ends the stream even while nothing is written
}

// NewStreamWriter returns a StreamWriter for a response whose head was written.
func NewStreamWriter(w http.ResponseWriter, stall time.Duration) *StreamWriter {
	return &StreamWriter{w: w, rc: http.NewResponseController(w), stall: stall, fires: overHTTP2(w)}
}

// Write sends the buffers, in order and together, and returns when the transport
// has taken them. Errors end the stream; ErrStalled is the client's fault.
func (s *StreamWriter) Write(buffers ...[]byte) error {
	room := 0
	for _, b := range buffers {
		for len(b) > 0 {
			if room <= 0 {
				// Each piece gets the stall time anew.
				if err := s.rc.SetWriteDeadline(time.Now().Add(s.stall)); err != nil {
					return err
				}
				room = StreamPiece
			}
			n := min(len(b), room)
			if _, err := s.w.Write(b[:n]); err != nil {
				return stalled(err)
			}
			b, room = b[n:], room-n
		}
	}
	if err := s.rc.Flush(); err != nil {
		return stalled(err)
	}
	if s.fires {
		// On a socket a deadline that passes in silence does nothing, and one that stays
		// bounds what net/http writes at the end.
		return s.rc.SetWriteDeadline(time.Time{})
	}
	return nil
}

// stalled recognises a write that ran into its deadline.
func stalled(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrStalled
	}
	return err
}

// overHTTP2 reports whether w ends in net/http's writer for HTTP/2, which alone can
// push.
func overHTTP2(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Pusher:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}
