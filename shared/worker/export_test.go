package worker

// What the tests of the pure parts see.
var (
	Next  = next
	After = after
	// ReadJob is what a worker reads messages with.
	ReadJob = readJob
)

// Step is what Next and After decide.
type Step = step

// Words of a Step.
const (
	Begin   = begin
	Settle  = settle
	Discard = discard
	Expire  = expire
	Bury    = bury
	Wait    = wait
)

// Do returns what a step does.
func (s Step) Do() int { return int(s.do) }

// Attempt returns the number of the attempt.
func (s Step) Attempt() int { return s.attempt }

// Doubt returns whether an attempt may have got through.
func (s Step) Doubt() bool { return s.unsure }

// Why returns the reason of a letter.
func (s Step) Why() Reason { return s.reason }
