package deliver

import "errors"

var (
	// ErrTooMany says that a notification would go to over MaxMembers people.
	ErrTooMany = errors.New("it goes to too many people")
	// errStored says that something stored cannot be read. Trying again won't help.
	errStored = errors.New("what is stored cannot be read")
)
