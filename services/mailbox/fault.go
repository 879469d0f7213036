package mailbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	// maxFaults bounds the faults armed at once, and maxTimes how often one strikes.
	maxFaults, maxTimes = 50, 10_000
	// maxText and maxMatch bound a fault's words, in bytes.
	maxText, maxMatch = 200, 320
)

// Stages of a delivery at which it may fail.
const (
	// StageConnect is the greeting.
	StageConnect = "connect"
	// StageMail and StageRcpt are the answers to these commands.
	StageMail = "mail"
	StageRcpt = "rcpt"
	// StageData is while the mail is on its way: nothing of it is kept.
	StageData = "data"
	// StageAfterData is when all of it was read: it is kept, whatever the client is told.
	StageAfterData = "after_data"
)

// errFaults says that as many faults are armed as may be.
var errFaults = errors.New("too many faults are armed")

// Fault is a failure on purpose.
type Fault struct {
	// ID is given when it is armed.
	ID int `json:"id"`
	// At is when that was.
	At    time.Time `json:"at"`
	Stage string    `json:"stage"`
	// Code is what the client is told, 400 to 599; 0 ends the connection instead.
	Code int `json:"code"`
	// Text goes with it; "" means the usual words.
	Text string `json:"text"`
	// Times is how often it will still strike, Hit how often it did.
	Times int `json:"times"`
	Hit   int `json:"hit"`
	// Recipient restricts it to those whose address contains it, in any case; "" means all.
	Recipient string `json:"recipient"`
}

// complete fills in the defaults, or says which field is wrong and why.
func (f *Fault) complete() (field, why string) {
	if f.Times == 0 {
		f.Times = 1
	}
	early := f.Stage == StageConnect || f.Stage == StageMail
	switch {
	case !slices.Contains([]string{StageConnect, StageMail, StageRcpt, StageData, StageAfterData}, f.Stage):
		return "stage", "stage must be connect, mail, rcpt, data or after_data."
	case f.Code != 0 && (f.Code < 400 || f.Code > 599):
		return "code", "code must be 400 to 599, or 0 to end the connection."
	case f.Times < 1 || f.Times > maxTimes:
		return "times", "times must be 1 to 10000."
	case len(f.Text) > maxText || strings.ContainsFunc(f.Text, func(r rune) bool { return r < ' ' || r > '~' }):
		return "text", "text must be printable ASCII of at most 200 bytes."
	case len(f.Recipient) > maxMatch:
		return "recipient", "recipient must have at most 320 bytes."
	case early && f.Recipient != "":
		return "recipient", "No recipient is known at this stage."
	}
	return "", ""
}

// hits says whether the fault is for one of these recipients.
func (f *Fault) hits(stage string, to []string) bool {
	return f.Stage == stage && (f.Recipient == "" || slices.ContainsFunc(to, func(one string) bool {
		return strings.Contains(strings.ToLower(one), strings.ToLower(f.Recipient))
	}))
}

// faults are those that are armed, in that order.
type faults struct {
	mu    sync.Mutex
	last  int // id
	armed []Fault
}

// arm adds one.
func (l *faults) arm(f Fault, now time.Time) (Fault, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.armed) == maxFaults {
		return Fault{}, errFaults
	}
	l.last++
	f.ID, f.At, f.Hit = l.last, now.UTC(), 0
	l.armed = append(l.armed, f)
	return f, nil
}

// list returns them.
func (l *faults) list() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Fault{}, l.armed...)
}

// clear disarms one, or all if id is 0, and says how many those were.
func (l *faults) clear(id int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.armed)
	l.armed = slices.DeleteFunc(l.armed, func(f Fault) bool { return id == 0 || f.ID == id })
	return before - len(l.armed)
}

// strike returns what the first fault says that hits, nil if none does. It strikes
// once less from then on.
func (l *faults) strike(stage string, to ...string) *verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.armed, func(f Fault) bool { return f.hits(stage, to) })
	if i < 0 {
		return nil
	}
	f := &l.armed[i]
	f.Times--
	f.Hit++
	v := &verdict{stage: stage, code: f.Code, text: f.Text, onPurpose: true}
	if f.Times == 0 {
		l.armed = slices.Delete(l.armed, i, i+1)
	}
	return v
}

// verdict is what a client is told instead of 250.
type verdict struct {
	stage     string
	code      int // 0: nothing, the connection ends
	text      string
	onPurpose bool // it comes from a fault
}

// result is the verdict as the list shows it.
func (v *verdict) result() string {
	if v.code == 0 {
		return "dropped at " + v.stage
	}
	return fmt.Sprintf("%d at %s", v.code, v.stage)
}

// answer is the verdict as go-smtp sends it.
func (v *verdict) answer() *smtp.SMTPError {
	enhanced, text := usual(v.code)
	if v.text != "" {
		text = v.text
	}
	return &smtp.SMTPError{Code: v.code, EnhancedCode: enhanced, Message: text}
}

// usual is what servers mostly say with a code.
func usual(code int) (smtp.EnhancedCode, string) {
	switch code {
	case 421:
		return smtp.EnhancedCode{4, 3, 2}, "Service not available, closing the connection"
	case 450:
		return smtp.EnhancedCode{4, 2, 1}, "Mailbox unavailable, try again later"
	case 451:
		return smtp.EnhancedCode{4, 3, 0}, "Local error, try again later"
	case 452:
		return smtp.EnhancedCode{4, 2, 2}, "Mailbox full"
	case 550:
		return smtp.EnhancedCode{5, 1, 1}, "No such user here"
	case 552:
		return smtp.EnhancedCode{5, 2, 2}, "Mailbox full"
	case 554:
		return smtp.EnhancedCode{5, 7, 1}, "Rejected as spam"
	}
	if code < 500 {
		return smtp.EnhancedCodeNotSet, "Try again later"
	}
	return smtp.EnhancedCodeNotSet, "Rejected"
}
