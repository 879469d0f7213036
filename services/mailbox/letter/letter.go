package letter

import (
	"bytes"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
)

// Bounds of what is read, each so far beyond an honest mail that meeting one means
// that the mail is broken or hostile.
const (
	// MaxBody bounds the text and the HTML part that are shown, in bytes after decoding.
	// Mail programs cut at a fifth of it.
	MaxBody = 512 << 10
	// MaxFields bounds the header's fields that are shown, and maxField one of them in
	// bytes.
	MaxFields = 300
	maxField  = 32 << 10
	// maxHeader bounds the header as a whole, in bytes.
	maxHeader = 256 << 10
	// maxDepth and maxParts bound the tree of parts: mails nest four deep.
	maxDepth, maxParts = 16, 200
	// maxInline bounds the images put into the HTML, all together, in bytes.
	maxInline = 2 << 20
	// maxFaults bounds the faults that are told of.
	maxFaults = 20
)

// Field is a field of the header.
type Field struct {
	// Name is as it was sent; Value is unfolded and its encoded words are decoded.
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Body is a part that is text.
type Body struct {
	// There says that the mail has such a part.
	There bool
	// Content is what it says, in UTF-8, at most MaxBody bytes; Cut says that there is
	// more. Size is the whole's in bytes after decoding.
	Content string
	Cut     bool
	Size    int64
}

// File is any other part.
type File struct {
	// N counts the files of a mail from 1.
	N int `json:"n"`
	// Name is what the sender calls it, "" if nothing.
	Name string `json:"name"`
	// Type is its media type, without parameters.
	Type string `json:"type"`
	// Size is in bytes after decoding.
	Size int64 `json:"size"`
	// CID is its Content-ID, without the angle brackets. Inline says that the HTML shows
	// it, so that it is no attachment in a reader's eyes.
	CID    string `json:"cid"`
	Inline bool   `json:"inline"`
}

// Letter is a mail that was read.
type Letter struct {
	// Header are its first MaxFields fields in their order.
	Header []Field
	// Subject and From are the fields' decoded values.
	Subject, From string
	// MessageID is with its angle brackets; Key is what stands before its "@".
	MessageID, Key string
	Text, HTML     Body
	Files          []File
	// Faults say in words what is wrong with its MIME; Source says that so much is that
	// Text is the source.
	Faults []string
	Source bool

	raw    []byte
	header message.Header
	images map[string]image // by Content-ID
}

// image is one that the HTML may show.
type image struct {
	media string
	data  []byte
}

// Read reads a mail. The letter keeps raw, which must not change afterwards.
func Read(raw []byte) *Letter {
	l := &Letter{raw: raw, images: map[string]image{}}
	w := walk{letter: l, inlineLeft: maxInline}
	w.mail()
	l.Subject, l.From = l.text("Subject"), l.text("From")
	l.MessageID = strings.TrimSpace(l.text("Message-Id"))
	l.Key, _, _ = strings.Cut(strings.Trim(l.MessageID, "<>"), "@")
	if len(l.Faults) > 0 && !l.Text.There && !l.HTML.There {
		l.Source = true
		l.Text = Body{Content: clip(raw, MaxBody), Cut: len(raw) > MaxBody, Size: int64(len(raw))}
	}
	l.findInline()
	return l
}

// Open returns the n-th file, counted from 1, and what is in it; false if there is no
// such file.
func (l *Letter) Open(n int) (File, []byte, bool) {
	if n < 1 || n > len(l.Files) {
		return File{}, nil, false
	}
	var content bytes.Buffer
	again := &Letter{raw: l.raw, images: map[string]image{}}
	w := walk{letter: again, want: n, content: &content}
	w.mail()
	return l.Files[n-1], content.Bytes(), true
}

// Attachments counts the files that a reader would call so.
func (l *Letter) Attachments() int {
	n := 0
	for _, f := range l.Files {
		if !f.Inline {
			n++
		}
	}
	return n
}

// findInline marks the files that the HTML shows.
func (l *Letter) findInline() {
	if !l.HTML.There {
		return
	}
	shown := map[string]bool{}
	for _, found := range cid.FindAllString(l.HTML.Content, maxParts) {
		shown[contentID(found)] = true
	}
	for i, f := range l.Files {
		l.Files[i].Inline = f.CID != "" && shown[strings.ToLower(f.CID)]
	}
}

// text is the decoded value of a field, "" if it is not there.
func (l *Letter) text(name string) string {
	return decoded(l.header.Get(name))
}

// has says whether a field is there.
func (l *Letter) has(name string) bool { return l.header.Has(name) }

// addresses parses a field of addresses; what can't be parsed is none.
func (l *Letter) addresses(name string) []*mail.Address {
	parser := mail.AddressParser{WordDecoder: wordDecoder()}
	list, err := parser.ParseList(l.header.Get(name))
	if err != nil {
		return nil
	}
	return list
}

// fault remembers what is wrong.
func (l *Letter) fault(what string) {
	if len(l.Faults) < maxFaults {
		l.Faults = append(l.Faults, clip([]byte(what), maxField))
	}
}

// fields lists the header.
func fields(h *message.Header) []Field {
	list := []Field{}
	for it := h.Fields(); it.Next() && len(list) < MaxFields; {
		name := it.Key()
		if raw, err := it.Raw(); err == nil {
			before, _, _ := bytes.Cut(raw, []byte(":"))
			name = string(bytes.TrimSpace(before))
		}
		list = append(list, Field{Name: clip([]byte(name), maxField), Value: decoded(it.Value())})
	}
	return list
}

// decoded decodes encoded words; what can't be decoded stays as it is.
func decoded(value string) string {
	if plain, err := wordDecoder().DecodeHeader(value); err == nil {
		return clip([]byte(plain), maxField)
	}
	return clip([]byte(value), maxField)
}

// clip makes at most limit bytes of data valid UTF-8, ending with a whole character.
func clip(data []byte, limit int) string {
	cut := len(data) > limit
	s := string(data[:min(len(data), limit)])
	for i := 0; cut && i < utf8.UTFMax && s != ""; i++ {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	// The mark is three bytes where there was one, so it may need cutting once more.
	if s = strings.ToValidUTF8(s, "\uFFFD"); len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
