package connection

import (
	"context"
	"fmt"

	"tidings/services/edge/wire"
	"tidings/shared/event"
	"tidings/shared/stream"
	"tidings/shared/subject"
)

// locate finds the position a connection begins at. If the client's cursor is
// void it returns the reason for the tidings.gap, and the connection begins at
// the head.
func (c *Conn) locate(ctx context.Context, from event.Cursor, rewind int) (void string, err error) {
	x := c.h.cfg.Tail.Extent()
	head := event.Cursor{Epoch: x.Epoch, Seq: x.Head}
	switch {
	case from.Epoch == "":
		c.Cursor = head
		return "", c.rewind(ctx, rewind)
	case from.Epoch == head.Epoch && from.Seq <= head.Seq:
		c.Cursor, c.resumed = from, true
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
		c.Cursor, c.resumed = from, true
		return "", nil
	}
	c.Cursor = from
	if from.Epoch == now.Epoch {
		return wire.GapAhead, nil
	}
	return wire.GapEpoch, nil
}

// rewind moves a fresh connection back by n events of each of its topics.
func (c *Conn) rewind(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	s := &starts{after: make(map[subject.Pattern]uint64, len(c.Patterns)), until: c.Cursor.Seq}
	least := c.Cursor.Seq
	for _, p := range c.Patterns {
		after, ok := c.h.cfg.Tail.Last(p, n)
		if !ok {
			page, err := c.h.cfg.Log.Range(ctx, stream.Query{Pattern: p, Last: n, Limit: 1})
			if err != nil {
				return fmt.Errorf("rewind: %w", err)
			}
			if after = c.Cursor.Seq; len(page.Entries) > 0 {
				after = page.Entries[0].Seq - 1
			}
		}
		s.after[p] = after
		least = min(least, after)
	}
	c.Cursor.Seq, c.starts = least, s.past(least)
	return nil
}

// Begin returns the gaps to begin with, if the client's cursor was void, and moves
// to the log's head then.
func (c *Conn) Begin(void string) []byte {
	if void == "" {
		return nil
	}
	x := c.h.cfg.Tail.Extent()
	return c.appendGaps(nil, event.Cursor{Epoch: x.Epoch, Seq: x.Head}, void)
}

// Opening returns the first words, in two pieces that must go out as two writes,
// because some middleboxes hold the first piece of a response back until the
// second comes: the reconnection time, then tidings.hello and, if the client's
// cursor was void, the gaps. The first is empty for a WebSocket.
func (c *Conn) Opening(void string) (retry, words []byte) {
	retryMS := wire.RandomRetry().Milliseconds()
	retry = c.Codec.Opening(retryMS)
	gaps := c.Begin(void)
	hello := wire.Hello{
		Conn: c.Name(), Node: c.h.cfg.Node, Epoch: c.Cursor.Epoch, Cursor: c.Cursor.String(),
		Topics: c.Patterns, Resumed: c.resumed, HeartbeatMS: c.h.cfg.Heartbeat.Milliseconds(),
	}
	if hello.Topics == nil {
		hello.Topics = []subject.Pattern{} // for JSON: none, not unknown
	}
	if c.Socket() {
		hello.RetryMS = retryMS
	}
	words = c.AppendControl(nil, c.Cursor, wire.TypeHello, hello)
	return retry, c.Pack(append(words, gaps...))
}
