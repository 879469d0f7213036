// Package keys finds the keys in a JSON text that encoding/json lets pass although
// two readers may take them for different things: one that is there twice, of which it
// takes the last and others the first, and one that is a field's name only when case is
// ignored, which other languages do not do. It is a part of httpx.DecodeJSON.
//
// It is a scan over a text that was decoded already, and so is known to be sound. It
// keeps nothing between two calls and is safe for concurrent use.
package keys
