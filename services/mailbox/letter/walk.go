package letter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"
)

// walk goes through the parts of a mail once, and keeps no more of them than is shown.
type walk struct {
	letter     *Letter
	parts      int
	inlineLeft int // bytes of images that may still be kept

	want    int // the file whose content goes to content, 0 for none
	content *bytes.Buffer
}

// wordDecoder decodes the encoded words of a header in all charsets.
func wordDecoder() *mime.WordDecoder { return &mime.WordDecoder{CharsetReader: charset.Reader} }

// mail reads the whole of it.
func (w *walk) mail() {
	if at := bytes.IndexByte(w.letter.raw, 0); at >= 0 {
		w.letter.fault(fmt.Sprintf("There is a NUL at byte %d.", at))
	}
	e, err := message.ReadWithOptions(bytes.NewReader(w.letter.raw), &message.ReadOptions{MaxHeaderBytes: maxHeader})
	if e == nil {
		w.letter.fault("The header can't be read: " + err.Error() + ".")
		return
	}
	w.letter.header = e.Header
	w.letter.Header = fields(&e.Header)
	if e.Header.Len() == 0 {
		w.letter.fault("There is no header.")
	}
	w.part(e, err, 0)
}

// part looks at one part; err is what could not be decoded of it.
func (w *walk) part(e *message.Entity, err error, depth int) {
	if w.parts++; w.parts > maxParts || depth > maxDepth {
		w.letter.fault("There are too many parts; the rest is left out.")
		return
	}
	if err != nil {
		w.letter.fault("A part is shown as it came: " + err.Error() + ".")
	}
	media, params, err := e.Header.ContentType()
	if err != nil {
		w.letter.fault("A Content-Type can't be read: " + err.Error() + ".")
		media = "application/octet-stream"
		if depth == 0 {
			media = "text/plain" // RFC 2045 takes a broken one for none
		}
	}
	if media = strings.ToLower(media); strings.HasPrefix(media, "multipart/") {
		w.multipart(e, depth)
		return
	}
	disposition, more, _ := e.Header.ContentDisposition()
	name := more["filename"]
	if name == "" {
		name = params["name"]
	}
	switch {
	case disposition == "attachment" || name != "":
		w.file(e, media, name)
	case media == "text/plain" && !w.letter.Text.There:
		w.body(e, &w.letter.Text)
	case media == "text/html" && !w.letter.HTML.There:
		w.body(e, &w.letter.HTML)
	default:
		w.file(e, media, name)
	}
}

// multipart goes through what is below.
func (w *walk) multipart(e *message.Entity, depth int) {
	r := e.MultipartReader()
	if r == nil {
		w.letter.fault("A multipart can't be read.")
		return
	}
	found := false
	for w.parts <= maxParts {
		below, err := r.NextPart()
		if errors.Is(err, io.EOF) && below == nil {
			if !found {
				w.letter.fault("A multipart has no parts.")
			}
			return
		}
		if below == nil {
			w.letter.fault("The parts end too early: " + err.Error() + ".")
			return
		}
		found = true
		w.part(below, err, depth+1)
	}
}

// body reads a part that is text.
func (w *walk) body(e *message.Entity, b *Body) {
	var kept bytes.Buffer
	size := w.drain(e.Body, &limited{left: MaxBody, to: &kept})
	*b = Body{There: true, Content: clip(kept.Bytes(), MaxBody), Cut: size > MaxBody, Size: size}
}

// file reads any other part.
func (w *walk) file(e *message.Entity, media, name string) {
	f := File{
		N: len(w.letter.Files) + 1, Name: clip([]byte(name), maxField), Type: clip([]byte(media), maxField),
		CID: clip([]byte(strings.Trim(e.Header.Get("Content-Id"), "<> ")), maxField),
	}
	var kept bytes.Buffer
	switch {
	case f.N == w.want:
		f.Size = w.drain(e.Body, w.content)
	case f.CID != "" && strings.HasPrefix(media, "image/"):
		f.Size = w.drain(e.Body, &limited{left: w.inlineLeft, to: &kept})
		if int64(kept.Len()) == f.Size {
			w.inlineLeft -= kept.Len()
			w.letter.images[strings.ToLower(f.CID)] = image{media: media, data: kept.Bytes()}
		}
	default:
		f.Size = w.drain(e.Body, io.Discard)
	}
	w.letter.Files = append(w.letter.Files, f)
}

// drain reads a part to its end and returns how many bytes there were. What is broken
// in the middle ends there.
func (w *walk) drain(from io.Reader, to io.Writer) int64 {
	n, err := io.Copy(to, from)
	if err != nil {
		w.letter.fault("A part ends too early: " + err.Error() + ".")
	}
	return n
}

// limited writes the first bytes and takes the others for written.
type limited struct {
	left int
	to   *bytes.Buffer
}

// Write implements io.Writer. It never fails.
func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.to.Write(p[:n])
	return len(p), nil
}
