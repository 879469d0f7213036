package mailbox

import (
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"tidings/services/mailbox/letter"
)

const (
	// rowCost is what a kept mail takes beside its bytes, about, in bytes: attempts
	// without a body must not be free.
	rowCost = 2 << 10
	// maxShown cuts a header's field in a row, in bytes; the mail itself has all of it.
	maxShown = 500
	// accepted is the result of a mail that was taken.
	accepted = "250"
)

// Row is a mail, or a failed attempt at one, in the list. It is the data of the event
// Kind, too.
type Row struct {
	// ID grows with every row, also over restarts, and fits into a JavaScript number.
	ID int64     `json:"id"`
	At time.Time `json:"at"`
	// From is the header's field, or the envelope's sender if there is no header. To are
	// the envelope's recipients.
	From    string   `json:"from"`
	To      []string `json:"to"`
	Subject string   `json:"subject"`
	// Size is that of the mail in bytes, as it was sent.
	Size int64 `json:"size"`
	// MessageID is with its angle brackets; Key is what stands before its "@", which for
	// Tidings' own mails is the key of the job.
	MessageID string `json:"message_id"`
	Key       string `json:"key"`
	// Attachments counts them, without the images that the HTML shows.
	Attachments int `json:"attachments"`
	// Result is "250", "<code> at <stage>", "dropped at <stage>", or "lost at data" when
	// the client went away in the middle.
	Result string `json:"result"`
	// Accepted says that the client was told 250. Kept says that the mail itself is here,
	// which it also is when the client was told otherwise after all of it had come.
	Accepted bool `json:"accepted"`
	Kept     bool `json:"kept"`
}

// attempt is what came in.
type attempt struct {
	envelope envelope
	peer     peer
	raw      []byte // nil if the mail did not come
	result   string
	code     int // what the client was told, 0 for nothing
}

// outcome is the result as the metrics have it.
func (a attempt) outcome() string {
	switch {
	case a.result == accepted:
		return outcomeAccepted
	case a.result == lost:
		return outcomeLost
	case a.code == 0:
		return outcomeDropped
	}
	return outcomeRefused
}

// kept is an attempt in the box. It does not change.
type kept struct {
	Row
	attempt
	words string // what a search looks through, in lower case
}

// cost is what it takes, in bytes.
func (k *kept) cost() int64 {
	return int64(len(k.raw)+len(k.words)) + rowCost
}

// box holds the last mails, oldest first.
type box struct {
	most     int
	maxBytes int64

	mu    sync.Mutex
	mails []*kept
	bytes int64
	last  int64 // id
}

// newBox returns an empty box.
func newBox(most int, maxBytes int64) *box { return &box{most: most, maxBytes: maxBytes} }

// add keeps an attempt, and lets go of as many of the oldest as it must. It calls tell
// in the order of the ids, so that must not block.
func (b *box) add(a attempt, now time.Time, tell func(Row)) (evicted int) {
	k := &kept{attempt: a, Row: Row{
		At: now.UTC(), From: a.envelope.From, To: append([]string{}, a.envelope.To...), Size: int64(len(a.raw)),
		Result: a.result, Accepted: a.result == accepted, Kept: a.raw != nil,
	}}
	if k.Kept {
		l := letter.Read(a.raw)
		k.Subject, k.MessageID, k.Key, k.Attachments = shown(l.Subject), shown(l.MessageID), shown(l.Key), l.Attachments()
		if l.From != "" {
			k.From = shown(l.From)
		}
	}
	k.words = strings.ToLower(strings.Join(append([]string{k.From, a.envelope.From, k.Subject, k.MessageID, k.Result}, k.To...), "\n"))
	b.mu.Lock()
	defer b.mu.Unlock()
	k.ID = max(b.last+1, now.UnixMicro())
	b.last = k.ID
	b.mails = append(b.mails, k)
	b.bytes += k.cost()
	for len(b.mails) > b.most || b.bytes > b.maxBytes && len(b.mails) > 1 {
		b.bytes -= b.mails[0].cost()
		b.mails[0] = nil // the array lives on
		b.mails = b.mails[1:]
		evicted++
	}
	tell(k.Row)
	return evicted
}

// list returns up to limit rows, newest first, older than before unless that is 0, that
// contain the words q. more says that there are others.
func (b *box) list(limit int, before int64, q string) (rows []Row, more bool) {
	q = strings.ToLower(q)
	rows = []Row{}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range slices.Backward(b.mails) {
		if before != 0 && k.ID >= before || !strings.Contains(k.words, q) {
			continue
		}
		if len(rows) == limit {
			return rows, true
		}
		rows = append(rows, k.Row)
	}
	return rows, false
}

// find returns a mail, nil if it is not there.
func (b *box) find(id int64) *kept {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range b.mails {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// remove takes a mail out, or all if id is 0, and says how many those were.
func (b *box) remove(id int64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.mails)
	var left []*kept
	b.bytes = 0
	for _, k := range b.mails {
		if id != 0 && k.ID != id {
			left = append(left, k)
			b.bytes += k.cost()
		}
	}
	b.mails = left
	return before - len(left)
}

// size is how many mails there are, and how many bytes they take.
func (b *box) size() (mails int, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mails), b.bytes
}

// shown cuts what a row shows of a field.
func shown(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// hostOf is an address without its port.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
