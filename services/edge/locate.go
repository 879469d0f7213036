package edge

import (
	"context"
	"errors"
	"fmt"

	"tidings/services/edge/blocks"
	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// zeroCursor leaves a client's position alone.
var zeroCursor event.Cursor

// errLagging says that this edge knows less of the log than the client.
var errLagging = errors.New("this node lags behind the log")

// locate finds the position a connection begins at. If the client's cursor is
// void it returns the reason for the tidings.gap, and the connection begins at
// the head.
func (c *conn) locate(ctx context.Context, req request) (void string, err error) {
	x := c.e.tail.Extent()
	head := event.Cursor{Epoch: x.Epoch, Seq: x.Head}
	switch {
	case req.cursor == zeroCursor:
		c.cursor = head
		return "", c.rewind(ctx, req.rewind)
	case req.cursor.Epoch == head.Epoch && req.cursor.Seq <= head.Seq:
		c.cursor, c.resumed = req.cursor, true
		return "", nil
	}
	// Unknown here is not void: another edge may be ahead of this one.
	now, err := c.e.cfg.Log.Epoch(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("epoch: %w", err)
	case now.Epoch != head.Epoch:
		return "", errLagging // we are about to learn of a new epoch
	case req.cursor.Epoch == now.Epoch && req.cursor.Seq <= now.Last:
		c.cursor, c.resumed = req.cursor, true
		return "", nil
	}
	c.cursor = req.cursor
	if req.cursor.Epoch == now.Epoch {
		return gapAhead, nil
	}
	return gapEpoch, nil
}

// rewind moves a fresh connection back by n events of each of its topics.
func (c *conn) rewind(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	s := &starts{after: make(map[subject.Pattern]uint64, len(c.patterns)), until: c.cursor.Seq}
	least := c.cursor.Seq
	for _, p := range c.patterns {
		after, ok := c.e.tail.Last(p, n)
		if !ok {
			page, err := c.e.cfg.Log.Range(ctx, stream.Query{Pattern: p, Last: n, Limit: 1})
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
	retry = append(retry, c.pack(appendRetry(nil, randomRetry().Milliseconds()))...)
	at := c.cursor
	if void != "" {
		x := c.e.tail.Extent()
		at = event.Cursor{Epoch: x.Epoch, Seq: x.Head}
	}
	words = appendControl(nil, at, typeHello, hello{
		Conn: c.id.String(), Node: c.e.cfg.Node, Epoch: at.Epoch, Cursor: at.String(),
		Topics: c.patterns, Resumed: c.resumed, HeartbeatMS: c.e.cfg.Heartbeat.Milliseconds(),
	})
	if void != "" {
		words = c.appendGaps(words, at, void)
	}
	return retry, c.pack(words)
}
