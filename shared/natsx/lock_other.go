//go:build !unix

package natsx

import (
	"fmt"
	"os"
)

// lockDir makes the directory. There is no portable lock here; running two
// servers on one directory is up to the operator.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	return func() {}, nil
}
