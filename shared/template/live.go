package template

import (
	"io/fs"
	"slices"
	"sync"
)

// Live is templates that are loaded again when a file has changed, for those who write
// them. It looks at every file each time it is asked, so it is no thing for production.
type Live struct {
	layers []fs.FS

	mu    sync.Mutex // guards the following
	files []file     // as they were when last loaded
	set   *Set       // the last good one
	err   error      // of the last load
}

// NewLive loads the layers as Load does, with its errors.
func NewLive(layers ...fs.FS) (*Live, error) {
	l := &Live{layers: slices.Clone(layers)}
	if _, err := l.Set(); err != nil {
		return nil, err
	}
	return l, nil
}

// Set returns the templates as the files are now. While a file is broken it returns the
// last good ones, and what is wrong as a *FaultsError.
func (l *Live) Set() (*Set, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var faults FaultsError
	files := list(l.layers, &faults)
	same := slices.EqualFunc(files, l.files, func(a, b file) bool {
		return a.position == b.position && a.path() == b.path() && a.size == b.size && a.changed.Equal(b.changed)
	})
	if l.set != nil && same && len(faults.Faults) == 0 {
		return l.set, l.err
	}
	set, err := build(files, &faults)
	if err == nil {
		l.set = set
	}
	l.files, l.err = files, err
	return l.set, l.err
}
