package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tidings/services/edge/wire"
	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// ErrLog wraps failures to read the log for a connection.
var ErrLog = errors.New("read the log")

// stalePause is how long to wait before asking again a store whose answer did not
// lead on: a replica that lags.
const stalePause = 50 * time.Millisecond

// CatchUp reads one round from the stream, a page of every topic from the cursor,
// and returns what to write, packed: everything up to the position that all of them have
// reached. It blocks, and is what a connection behind the tail does instead of
// reading that.
func (c *Conn) CatchUp(ctx context.Context) ([]byte, error) {
	if len(c.Patterns) == 0 { // without topics every position is as good
		x := c.h.cfg.Tail.Extent()
		c.MoveTo(event.Cursor{Epoch: x.Epoch, Seq: x.Head})
		return nil, nil
	}
	pages, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	reached := pages[0].Next
	for _, p := range pages {
		if p.Next.Epoch != c.Cursor.Epoch {
			return c.Pack(c.appendGaps(nil, p.Next, wire.GapEpoch)), nil
		}
		reached.Seq = min(reached.Seq, p.Next.Seq)
	}
	var buf []byte
	if c.starts == nil { // a rewind asks for what there is and is not promised more
		buf = c.appendDropped(buf, pages)
	}
	count := 0
	for e := range merged(pages) {
		if e.Seq > reached.Seq {
			break
		}
		if c.ID.Is(e.Event.Except) || !c.starts.wants(e.Event.Topic, e.Seq) {
			continue
		}
		buf = c.AppendEvent(buf, e.Event, event.Cursor{Epoch: reached.Epoch, Seq: e.Seq})
		count++
	}
	c.h.Metrics.Delivered.Add(count)
	if c.Cursor == reached {
		return c.Pack(buf), pause(ctx, stalePause)
	}
	c.MoveTo(reached)
	return c.Pack(buf), nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// appendDropped announces for which topics something was dropped after the cursor.
func (c *Conn) appendDropped(buf []byte, pages []stream.Page) []byte {
	for i, p := range pages {
		if !p.Gone {
			continue
		}
		before := p.Next
		if len(p.Entries) > 0 {
			before.Seq = p.Entries[0].Seq
		}
		// The position stays: events of other topics after it are still to come.
		buf = c.AppendControl(buf, c.Cursor, wire.TypeGap, wire.Gap{Topic: c.Patterns[i], After: c.Cursor.String(), Before: before.String(), Reason: wire.GapDropped})
		c.h.Metrics.gaps.Inc()
	}
	return buf
}

// read reads one page per topic, admitted a few connections at a time.
func (c *Conn) read(ctx context.Context) ([]stream.Page, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case c.h.reads <- struct{}{}:
	}
	defer func() { <-c.h.reads }()
	pages := make([]stream.Page, len(c.Patterns))
	for i, p := range c.Patterns {
		page, err := c.h.cfg.Log.Range(ctx, stream.Query{
			Pattern: p, After: c.starts.from(p, c.Cursor),
			Limit: max(stream.MaxPage/len(pages), ReadBatch), Bytes: max(catchUpBytes/len(pages), 1),
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLog, err)
		}
		c.h.Metrics.rangeReads.Inc()
		pages[i] = page
	}
	return pages, nil
}

// merged yields the entries of all pages in stream order, each once even if
// overlapping patterns brought it twice.
func merged(pages []stream.Page) func(func(stream.Entry) bool) {
	return func(yield func(stream.Entry) bool) {
		next := make([]int, len(pages))
		for last := uint64(0); ; {
			least := -1
			for i, p := range pages {
				for next[i] < len(p.Entries) && p.Entries[next[i]].Seq <= last {
					next[i]++
				}
				if next[i] < len(p.Entries) && (least < 0 || p.Entries[next[i]].Seq < pages[least].Entries[next[least]].Seq) {
					least = i
				}
			}
			if least < 0 {
				return
			}
			e := pages[least].Entries[next[least]]
			last = e.Seq
			if !yield(e) {
				return
			}
		}
	}
}

// starts holds, while a rewind is replayed, the position each topic begins after.
// A nil *starts wants everything.
type starts struct {
	after map[subject.Pattern]uint64
	until uint64 // the log's head when the rewind was asked for
}

// wants reports whether an event belongs to the rewind of any pattern.
func (s *starts) wants(t subject.Topic, seq uint64) bool {
	if s == nil || seq > s.until {
		return true
	}
	for p, after := range s.after {
		if seq > after && p.Match(t) {
			return true
		}
	}
	return false
}

// add makes a topic that came later part of the rewind: all of it after a position.
func (s *starts) add(patterns []subject.Pattern, after uint64) {
	if s == nil {
		return
	}
	for _, p := range patterns {
		s.after[p] = after
	}
}

// from returns where to read a pattern from.
func (s *starts) from(p subject.Pattern, at event.Cursor) event.Cursor {
	if s != nil {
		at.Seq = max(at.Seq, s.after[p])
	}
	return at
}

// past forgets the rewind once it has been replayed.
func (s *starts) past(seq uint64) *starts {
	if s == nil || seq >= s.until {
		return nil
	}
	return s
}
