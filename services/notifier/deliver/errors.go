package deliver

import (
	"errors"

	"tidings/services/notifier/inbox"
	"tidings/services/notifier/planner"
	"tidings/shared/ledger"
	"tidings/shared/notice"
	"tidings/shared/worker"
)

var (
	// ErrTooMany says that a notification would go to over MaxMembers people.
	ErrTooMany = errors.New("it goes to too many people")
	// errStored says that something stored cannot be read. Trying again won't help.
	errStored = errors.New("what is stored cannot be read")
)

// lasting reports whether an error stays however often it is tried again.
func lasting(err error) bool {
	for _, is := range []error{
		errStored, ledger.ErrUnknown, ledger.ErrEntry, inbox.ErrItem, inbox.ErrUser, planner.ErrEntry, planner.ErrFull,
		worker.ErrJob, notice.ErrMessage,
	} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}
