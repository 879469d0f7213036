package template

import (
	"embed"
	"io/fs"
)

//go:embed builtin
var builtin embed.FS

// Builtin returns the templates that come with the program: base, default, digest,
// welcome and order_shipped, in English, German and Russian.
func Builtin() fs.FS {
	sub, err := fs.Sub(builtin, "builtin")
	if err != nil {
		panic(err) // the name above is malformed
	}
	return sub
}
