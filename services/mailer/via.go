package mailer

import (
	"container/list"
	"context"
	"slices"
	"strings"
	"sync"
)

// maxUnsure is how many jobs are remembered that may have got through. A provider that
// loses its connections makes some; more than this wait for their next attempt only
// when something is very wrong, and receipts know most of them too.
const maxUnsure = 10_000

// memory remembers by which provider a job may have got through.
type memory struct {
	mu    sync.Mutex
	byKey map[string]*list.Element // of [2]string: key, provider
	order *list.List               // oldest in front
}

func newMemory() *memory { return &memory{byKey: map[string]*list.Element{}, order: list.New()} }

// keep remembers a job's provider.
func (m *memory) keep(key, provider string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(key)
	if len(m.byKey) >= maxUnsure {
		oldest := m.order.Front().Value.([2]string)
		m.remove(oldest[0])
	}
	m.byKey[key] = m.order.PushBack([2]string{key, provider})
}

// forget forgets a job that is done with.
func (m *memory) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(key)
}

// of returns a job's provider, "" if it isn't known.
func (m *memory) of(key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byKey[key]; ok {
		return e.Value.([2]string)[1]
	}
	return ""
}

// remove removes a job. The caller holds mu.
func (m *memory) remove(key string) {
	if e, ok := m.byKey[key]; ok {
		m.order.Remove(e)
		delete(m.byKey, key)
	}
}

// via returns the provider that may have a job: the one remembered; else, after a restart
// or on another node, the one that a receipt names; else the first.
func (m *Mailer) via(ctx context.Context, notification, key string) (string, error) {
	if name := m.unsure.of(key); name != "" {
		return name, nil
	}
	receipts, _, err := m.queue.Timeline(ctx, notification)
	if err != nil {
		return "", err
	}
	for _, r := range slices.Backward(receipts) {
		// An Error of package smtp begins so.
		rest, ok := strings.CutPrefix(r.Error, "provider ")
		if name, _, cut := strings.Cut(rest, ": "); ok && cut && r.Key == key && r.Unsure {
			return name, nil
		}
	}
	return m.first, nil
}
