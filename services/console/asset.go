package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/httpx"
)

// hashBytes is how much of the content's SHA-256 names it. The bundler cuts the
// hashes in the page's links at the same length.
const hashBytes = 8

// chunkHash is how many letters of base 32 the bundler names a chunk's content with.
const chunkHash = 8

// asset is one embedded file, ready to send.
type asset struct {
	name        string
	contentType string
	hash        string
	plain       []byte
	// zipped is the content after gzip, nil where that saves nothing.
	zipped []byte
}

// loadAsset reads and compresses one file.
func loadAsset(files fs.FS, name string) (*asset, error) {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	contentType, err := contentTypeOf(path.Ext(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	sum := sha256.Sum256(b)
	a := &asset{name: path.Base(name), contentType: contentType, hash: hex.EncodeToString(sum[:hashBytes]), plain: b}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	if zipped.Len() < len(b) {
		a.zipped = zipped.Bytes()
	}
	return a, nil
}

// chunk reports whether the name holds a hash of the content, as those of the parts do
// that the page loads when they are needed: the bundler writes "name-HASH.js".
func (a *asset) chunk() bool {
	base, ok := strings.CutSuffix(a.name, ".js")
	i := strings.LastIndexByte(base, '-')
	return ok && i > 0 && len(base)-i-1 == chunkHash && strings.Trim(base[i+1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// contentTypeOf returns the media type of what the bundler writes. The table is
// here because package mime also reads the system's, which differs by machine.
func contentTypeOf(ext string) (string, error) {
	switch ext {
	case ".html":
		return "text/html; charset=utf-8", nil
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".txt":
		return "text/plain; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	}
	return "", fmt.Errorf("no media type for %q", ext)
}

// serve answers with the file, or with 304 if the browser has it.
func (a *asset) serve(c echo.Context, cache string) error {
	body, tag := a.plain, strconv.Quote(a.hash)
	h := c.Response().Header()
	h.Set("Vary", "Accept-Encoding")
	if a.zipped != nil && httpx.AcceptsGzip(c.Request().Header) {
		// Another encoding is another representation, and needs another tag.
		body, tag = a.zipped, strconv.Quote(a.hash+"-gzip")
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", cache)
	h.Set("ETag", tag)
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// ServeContent answers HEAD, ranges and If-None-Match. An embedded file has no
	// time of its own; the tag alone says whether it changed.
	http.ServeContent(c.Response(), c.Request(), a.name, time.Time{}, bytes.NewReader(body))
	return nil
}
