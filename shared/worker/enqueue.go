package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
)

const (
	// MaxBatch is the most jobs of one Enqueue.
	MaxBatch = 10_000
	// enqueueAtOnce is how many jobs one Enqueue stores at the same time: enough to hide
	// the way to the server and back, and few enough for other callers.
	enqueueAtOnce = 32
	// headerReceipt tells the worker the sequence of the job's last receipt, which saves
	// it from asking for it.
	headerReceipt = "Tidings-Receipt"
)

// Enqueue stores jobs and returns after the store has them all; known says how many of
// them it knew. A job is known by its key as long as its receipts are kept, and is not
// stored again.
//
// After an error some jobs may be stored: repeat the call, that does no harm. Errors
// wrap ErrJob, in which case nothing was stored, or those of natsx.
func (q *Queue) Enqueue(ctx context.Context, jobs ...Job) (known int, err error) {
	if len(jobs) > MaxBatch {
		return 0, fmt.Errorf("%w: %d jobs, at most %d", ErrJob, len(jobs), MaxBatch)
	}
	now := time.Now()
	list := make([]Job, len(jobs))
	for i, j := range jobs {
		list[i] = j.filled(now)
		if err := list[i].Check(); err != nil {
			return 0, fmt.Errorf("job %d of %d: %w", i+1, len(jobs), err)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		stored int
		next   = make(chan Job)
	)
	for range min(enqueueAtOnce, len(list)) {
		wg.Go(func() {
			for j := range next {
				old, err := q.enqueue(ctx, j)
				if err != nil {
					cancel(err)
					continue
				}
				mu.Lock()
				stored++
				if old {
					known++
				}
				mu.Unlock()
			}
		})
	}
feed:
	for _, j := range list {
		select {
		case next <- j:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	if stored < len(list) {
		return known, fmt.Errorf("%d of %d jobs are stored: %w", stored, len(list), context.Cause(ctx))
	}
	return known, nil
}

// enqueue stores one job. The receipt goes first: a worker may have the job the moment
// it is stored, and its receipts come after "queued".
func (q *Queue) enqueue(ctx context.Context, j Job) (known bool, err error) {
	r := receiptOf(j, Queued)
	seq, err := q.append(ctx, r, 0)
	if errors.Is(err, errConflict) {
		var last status
		if last, err = q.last(ctx, j); err == nil && last.State != Queued {
			return true, nil
		}
		// Queued and no more: the job waits, or storing it was interrupted.
		seq = last.seq
	}
	if err != nil {
		return false, err
	}
	known, err = q.store(ctx, j, j.Key, seq)
	if errors.Is(err, errWaiting) {
		return true, nil
	}
	return known, err
}

// store puts a job whose "queued" is stored into the queue. id is the same for each
// time that this is tried. The error is errWaiting if the queue holds the job already.
func (q *Queue) store(ctx context.Context, j Job, id string, receipt uint64) (known bool, err error) {
	data, err := natsx.Encode(j)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrJob, err)
	}
	m := &nats.Msg{Subject: q.space.Job(j.Channel, j.Key), Data: data, Header: nats.Header{}}
	if receipt > 0 {
		m.Header.Set(headerReceipt, strconv.FormatUint(receipt, 10))
	}
	ack, err := q.publish(ctx, m, jetstream.WithMsgID(id))
	if err != nil {
		return false, err
	}
	return ack.Duplicate, nil
}
