package notices

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tidings/scripts/bench/load"
)

// awaitEvery is how often Await looks.
const awaitEvery = 5 * time.Millisecond

// Books know of each notification when it was posted and whether its mail came. Make them
// with NewBooks.
type Books struct {
	people int
	base   time.Time
	posted []atomic.Int64 // when, since base
	mailed []atomic.Bool

	delivered, doubled, strays, bytes atomic.Uint64
	latency                           atomic.Pointer[load.Histogram]

	mu  sync.Mutex
	ids map[string]struct{} // the mails' Message-IDs
}

// NewBooks returns books for so many notifications to so many people in turn.
func NewBooks(notifications, people int) *Books {
	b := &Books{
		people: people, base: time.Now(), posted: make([]atomic.Int64, notifications), mailed: make([]atomic.Bool, notifications),
		ids: make(map[string]struct{}, notifications),
	}
	b.latency.Store(&load.Histogram{})
	return b
}

// user is who gets a notification, email the address, id the notification's name and title
// what its mail is called.
func (b *Books) user(n int) string { return "bench-" + strconv.Itoa(n%b.people) }

func email(user string) string { return user + "@people.example" }

func id(n int) string { return "bench." + strconv.Itoa(n) }

const titleWord = "Order "

func title(n int) string { return titleWord + strconv.Itoa(n) }

// post notes that a notification is about to be posted.
func (b *Books) post(n int) { b.posted[n].Store(int64(time.Since(b.base))) }

// mail enters a mail.
func (b *Books) mail(messageID, subject, to string, size int) {
	number, ok := strings.CutPrefix(subject, titleWord)
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 || n >= len(b.mailed) || b.posted[n].Load() == 0 || to != email(b.user(n)) || messageID == "" {
		b.strays.Add(1)
		return
	}
	b.mu.Lock()
	_, known := b.ids[messageID]
	b.ids[messageID] = struct{}{}
	b.mu.Unlock()
	switch first := b.mailed[n].CompareAndSwap(false, true); {
	case !first:
		b.doubled.Add(1)
	case known: // two notifications, one name: a provider would drop the second
		b.strays.Add(1)
	default:
		b.latency.Load().Add(time.Since(b.base) - time.Duration(b.posted[n].Load()))
		b.bytes.Add(uint64(size))
		b.delivered.Add(1)
	}
}

// Mailed is how many notifications have become a mail.
func (b *Books) Mailed() int { return int(b.delivered.Load()) }

// MailBytes is the size of a mail, on average.
func (b *Books) MailBytes() int { return int(b.bytes.Load() / max(b.delivered.Load(), 1)) }

// Measure has the time from posting to the mail counted anew, in a histogram that is to
// be read when no more mails come.
func (b *Books) Measure() *load.Histogram {
	h := &load.Histogram{}
	b.latency.Store(h)
	return h
}

// Await waits until so many have become a mail, or none has for the length of patience,
// which is no error: Counts tell.
func (b *Books) Await(ctx context.Context, n int, patience time.Duration) error {
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	last, since := -1, time.Now()
	for {
		have := b.Mailed()
		if have >= n {
			return nil
		}
		if have > last {
			last, since = have, time.Now()
		}
		if time.Since(since) > patience {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the mails: %w", ctx.Err())
		}
	}
}

// Counts are the results for the first so many notifications.
func (b *Books) Counts(n int) load.Counts {
	c := load.Counts{Expected: uint64(n), Delivered: b.delivered.Load(), Doubled: b.doubled.Load(), Strays: b.strays.Load()}
	c.Lost = c.Expected - min(c.Delivered, c.Expected)
	return c
}

// Shares are how many of the first n notifications are each person's, by user.
func (b *Books) Shares(n int) map[string]int {
	out := make(map[string]int, b.people)
	for i := range n {
		out[b.user(i)]++
	}
	return out
}
