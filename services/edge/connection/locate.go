package connection

import (
	"context"
	"fmt"

	"tidings/services/edge/blocks"
	"tidings/services/edge/wire"
	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// locate finds the position a connection begins at. If the client's cursor is
// void it returns the reason for the tidings.gap, and the connection begins at
// the head.
func (c *conn) locate(ctx context.Context, from event.Cursor, rewind int) (void string, err error) {
	x := c.h.cfg.Tail.Extent()
	head := event.Cursor{Epoch: x.Epoch, Seq: x.Head}
	switch {
	case from.Epoch == "":
		c.cursor = head
		return "", c.rewind(ctx, rewind)
	case from.Epoch == head.Epoch && from.Seq <= head.Seq:
		c.cursor, c.resumed = from, true
		return "", nil
	}
	// Unknown here is not void: another edge may be ahead of this one.
	now, err := c.h.cfg.Log.Epoch(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("epoch: %w", err)
	case now.Epoch != head.Epoch:
		return "", ErrLagging // we are about to learn of a new epoch
	case from.Epoch == now.Epoch && from.Seq <= now.Last:
		c.cursor, c.resumed = from, true
		return "", nil
	}
	c.cursor = from
	if from.Epoch == now.Epoch {
		return wire.GapAhead, nil
	}
	return wire.GapEpoch, nil
}

// rewind moves a fresh connection back by n events of each of its topics.
func (c *conn) rewind(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	s := &starts{after: make(map[subject.Pattern]uint64, len(c.patterns)), until: c.cursor.Seq}
	least := c.cursor.Seq
	for _, p := range c.patterns {
		after, ok := c.h.cfg.Tail.Last(p, n)
		if !ok {
			page, err := c.h.cfg.Log.Range(ctx, stream.Query{Pattern: p, Last: n, Limit: 1})
			if err != nil {
				return fmt.Errorf("rewind: %w", err)
			}
			if after = c.cursor.Seq; len(page.Entries) > 0 {
				after = page.Entries[0].Seq - 1
			}
		}
		s.after[p] = after
		least = min(least, after)
	}
	c.cursor.Seq, c.starts = least, s.past(least)
	return nil
}

// opening returns the first words, in two pieces that must go out as two writes,
// because some middleboxes hold the first piece of a response back until the
// second comes: the reconnection time, then tidings.hello and, if the client's
// cursor was void, the gaps.
func (c *conn) opening(void string) (retry, words []byte) {
	if c.gzip {
		retry = blocks.AppendHeader(retry)
	}
	retry = c.frame(append(retry, c.squeeze(wire.AppendRetry(nil, wire.RandomRetry().Milliseconds()))...))
	at := c.cursor
	if void != "" {
		x := c.h.cfg.Tail.Extent()
		at = event.Cursor{Epoch: x.Epoch, Seq: x.Head}
	}
	words = wire.AppendControl(nil, at, wire.TypeHello, wire.Hello{
		Conn: c.id.String(), Node: c.h.cfg.Node, Epoch: at.Epoch, Cursor: at.String(),
		Topics: c.patterns, Resumed: c.resumed, HeartbeatMS: c.h.cfg.Heartbeat.Milliseconds(),
	})
	if void != "" {
		words = c.appendGaps(words, at, void)
	}
	return retry, c.pack(words)
}
