package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tidings/services/edge/tail"
	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// errLog wraps failures to read the log for a connection.
var errLog = errors.New("read the log")

const (
	// deliverBytes is how much a connection takes from the tail in one go. While its
	// socket is full it keeps these frames alive, even if the tail drops them.
	deliverBytes = 64 << 10
	// stalePause is how long to wait before asking again a store whose answer did not
	// lead on: a replica that lags.
	stalePause = 50 * time.Millisecond
)

// advance sends a bounded part of what there is for the connection, from wherever
// its cursor stands. It returns false when the head of the log was reached.
func (c *conn) advance(ctx context.Context) (bool, error) {
	if c.frames == nil {
		c.frames = make([]*tail.Frame, readBatch)
	}
	n, at, err := c.view.Read(c.cursor, c.frames)
	switch {
	case errors.Is(err, tail.ErrEpoch):
		return true, c.changeEpoch()
	case errors.Is(err, tail.ErrBehind):
		return true, c.catchUp(ctx)
	case err != nil:
		return false, err
	}
	return c.deliver(n, at)
}

// deliver sends the first n of c.frames, or as many as deliverBytes allow, and
// moves the cursor. It reports whether there is more.
func (c *conn) deliver(n int, at event.Cursor) (bool, error) {
	more, bytes := n == len(c.frames), 0
	c.blocks = c.blocks[:0]
	for i, f := range c.frames[:n] {
		if f.Except == c.id || !c.starts.wants(f.Topic, f.Seq) {
			continue
		}
		c.blocks = append(c.blocks, f.SSE)
		if bytes += len(f.SSE); bytes >= deliverBytes && i < n-1 {
			at.Seq, more = f.Seq, true
			break
		}
	}
	c.cursor = at
	c.starts = c.starts.past(at.Seq)
	var err error
	if len(c.blocks) > 0 {
		c.e.metrics.delivered.Add(float64(len(c.blocks)))
		err = c.send(c.blocks...)
	}
	clear(c.frames[:n]) // keep no dropped frame alive while waiting
	clear(c.blocks)
	return more, err
}

// changeEpoch tells the client that the log is another one now, and goes on from
// where the edge began to follow that.
func (c *conn) changeEpoch() error {
	x := c.e.tail.Extent()
	now := event.Cursor{Epoch: x.Epoch, Seq: x.Start}
	return c.gaps(now, gapEpoch)
}

// gaps tells for every topic that what came after the cursor is gone, and moves
// the cursor.
func (c *conn) gaps(now event.Cursor, reason string) error {
	buf := c.buf[:0]
	for _, p := range c.patterns {
		buf = appendControl(buf, now, typeGap, gap{Topic: p, After: c.cursor.String(), Before: now.String(), Reason: reason})
	}
	c.e.metrics.gaps.Add(float64(len(c.patterns)))
	c.cursor, c.starts = now, nil
	return c.send(buf)
}

// catchUp reads one round from the stream: a page of every topic from the
// cursor, sent up to the position that all of them have reached.
func (c *conn) catchUp(ctx context.Context) error {
	pages, err := c.read(ctx)
	if err != nil {
		return err
	}
	reached := event.Cursor{Epoch: pages[0].Next.Epoch, Seq: pages[0].Next.Seq}
	for _, p := range pages {
		if p.Next.Epoch != c.cursor.Epoch {
			return c.gaps(p.Next, gapEpoch)
		}
		reached.Seq = min(reached.Seq, p.Next.Seq)
	}
	buf := c.buf[:0]
	count := 0
	if c.starts == nil { // a rewind asks for what there is and is not promised more
		buf = c.appendGaps(buf, pages)
	}
	for e := range merged(pages) {
		if e.Seq > reached.Seq {
			break
		}
		if e.Event.Except == c.id || !c.starts.wants(e.Event.Topic, e.Seq) {
			continue
		}
		buf = e.Event.AppendSSE(buf, event.Cursor{Epoch: reached.Epoch, Seq: e.Seq})
		count++
	}
	stuck := c.cursor == reached
	c.cursor = reached
	c.starts = c.starts.past(reached.Seq)
	if len(buf) == 0 {
		if stuck {
			return pause(ctx, stalePause)
		}
		return nil
	}
	c.e.metrics.delivered.Add(float64(count))
	return c.send(buf)
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

// appendGaps announces for which topics something was dropped after the cursor.
func (c *conn) appendGaps(buf []byte, pages []stream.Page) []byte {
	for i, p := range pages {
		if !p.Gone {
			continue
		}
		before := p.Next
		if len(p.Entries) > 0 {
			before.Seq = p.Entries[0].Seq
		}
		// The position stays: events of other topics after it are still to come.
		buf = appendControl(buf, c.cursor, typeGap, gap{Topic: c.patterns[i], After: c.cursor.String(), Before: before.String(), Reason: gapDropped})
		c.e.metrics.gaps.Inc()
	}
	return buf
}

// read reads one page per topic, admitted a few connections at a time.
func (c *conn) read(ctx context.Context) ([]stream.Page, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case c.e.reads <- struct{}{}:
	}
	defer func() { <-c.e.reads }()
	pages := make([]stream.Page, len(c.patterns))
	for i, p := range c.patterns {
		page, err := c.e.cfg.Log.Range(ctx, stream.Query{
			Pattern: p, After: c.starts.from(p, c.cursor),
			Limit: max(stream.MaxPage/len(pages), readBatch), Bytes: max(catchUpBytes/len(pages), 1),
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errLog, err)
		}
		c.e.metrics.rangeReads.Inc()
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
