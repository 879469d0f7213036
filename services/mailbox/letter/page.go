package letter

import (
	"encoding/base64"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// maxPage bounds a page in bytes: the HTML, with every image in place.
const maxPage = MaxBody + 2*maxInline

// Policy is the content security policy under which the HTML of a mail may be shown:
// no script, no form, no frame, no request. With images, those from elsewhere load,
// which tells their sender that the mail is being read.
func Policy(images bool) string {
	from := "data:"
	if images {
		from = "data: https: http:"
	}
	return "default-src 'none'; img-src " + from + "; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
}

// Page is the HTML made fit for a sandboxed frame.
type Page struct {
	// HTML is a document that brings its own policy, for srcdoc; "" if there is none.
	HTML string
	// Remote counts the images that would come from elsewhere.
	Remote int
}

// cid finds the addresses of images that were sent along, in style sheets too.
var cid = regexp.MustCompile(`(?i)\bcid:([^\s"'()<>]{1,500})`)

// remote finds the addresses in style sheets of images that were not.
var remote = regexp.MustCompile(`(?i)url\(\s*["']?\s*(?:https?:)?//`)

// Page makes the HTML fit to be shown: its policy comes first; scripts, frames, event
// handlers and refreshes, which the policy and the sandbox would stop as well, are
// taken out; images sent along are put in; and links open elsewhere.
func (l *Letter) Page(images bool) Page {
	if !l.HTML.There {
		return Page{}
	}
	b := pageBuilder{letter: l, meta: `<meta http-equiv="Content-Security-Policy" content="` + html.EscapeString(Policy(images)) + `">`}
	z := html.NewTokenizer(strings.NewReader(l.HTML.Content))
	for z.Next() != html.ErrorToken {
		b.token(z)
	}
	b.policy()
	return Page{HTML: b.out.String(), Remote: b.remote}
}

// pageBuilder writes a page token by token.
type pageBuilder struct {
	letter *Letter
	meta   string
	out    strings.Builder
	begun  bool   // the policy is written
	within string // the element that is being left out, or "style"
	remote int
}

// policy writes the policy: after the doctype, which must be first, and before
// everything that it is about. A parser makes a head for it.
func (b *pageBuilder) policy() {
	if !b.begun {
		b.begun = true
		b.out.WriteString(b.meta)
	}
}

// token writes the token that z is at.
func (b *pageBuilder) token(z *html.Tokenizer) {
	raw := string(z.Raw()) // z.Token may move what it points to
	t := z.Token()
	switch t.Type {
	case html.DoctypeToken:
		b.out.WriteString(raw)
	case html.CommentToken:
		// Nobody sees it. What is a comment to one parser may be more to another.
	case html.TextToken:
		if b.within == "" || b.within == "style" {
			if strings.TrimSpace(raw) != "" {
				b.policy()
			}
			b.text(raw)
		}
	case html.EndTagToken:
		b.end(t.Data, raw)
	case html.StartTagToken, html.SelfClosingTagToken:
		b.policy()
		b.start(t, raw)
	case html.ErrorToken:
	}
}

// text writes what stands between tags.
func (b *pageBuilder) text(raw string) {
	if b.within == "style" {
		raw = b.style(raw)
	}
	b.out.WriteString(raw)
}

// end writes the end of an element.
func (b *pageBuilder) end(name, raw string) {
	b.policy()
	if name == b.within {
		b.within = ""
		if name != "style" {
			return
		}
	}
	if b.within == "" && !slices.Contains(forbidden(), name) {
		b.out.WriteString(raw)
	}
}

// forbidden are elements that do more than be looked at. They have no use in a mail.
func forbidden() []string {
	return []string{"script", "iframe", "frame", "frameset", "object", "embed", "applet", "base", "link", "noscript", "template", "portal"}
}

// start writes the start of an element.
func (b *pageBuilder) start(t html.Token, raw string) {
	switch {
	case b.within != "":
		return
	case slices.Contains([]string{"script", "iframe", "noscript"}, t.Data) && t.Type == html.StartTagToken:
		b.within = t.Data // the tokenizer takes what is inside for text
		return
	case slices.Contains(forbidden(), t.Data), t.Data == "meta" && attribute(t, "http-equiv") != "":
		return
	case t.Data == "style" && t.Type == html.StartTagToken:
		b.within = "style"
	}
	if !b.change(&t) {
		b.out.WriteString(raw)
		return
	}
	b.put(t.String())
}

// change makes a start tag harmless, and says whether it had to.
func (b *pageBuilder) change(t *html.Token) bool {
	changed := false
	attrs := t.Attr[:0:0]
	for _, a := range t.Attr {
		was := a.Val
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "srcset", a.Key == "ping", t.Data == "a" && a.Key == "target":
			changed = true
			continue
		case a.Key == "src" || a.Key == "background" || a.Key == "poster":
			a.Val = b.place(a.Val)
		case a.Key == "style":
			a.Val = b.style(a.Val)
		}
		changed = changed || a.Val != was
		attrs = append(attrs, a)
	}
	if t.Data == "a" || t.Data == "area" {
		attrs = append(attrs, html.Attribute{Key: "target", Val: "_blank"}, html.Attribute{Key: "rel", Val: "noopener noreferrer"})
		changed = true
	}
	t.Attr = attrs
	return changed
}

// style puts images into a style sheet.
func (b *pageBuilder) style(s string) string {
	b.remote += len(remote.FindAllStringIndex(s, -1))
	return b.place(s)
}

// place puts images in place of their addresses, as long as there is room.
func (b *pageBuilder) place(s string) string {
	if at := strings.ToLower(strings.TrimSpace(s)); strings.HasPrefix(at, "http://") || strings.HasPrefix(at, "https://") || strings.HasPrefix(at, "//") {
		b.remote++
		return s
	}
	room := maxPage - b.out.Len() - len(s)
	return cid.ReplaceAllStringFunc(s, func(found string) string {
		i, ok := b.letter.images[contentID(found)]
		if !ok {
			return found
		}
		media := mime.FormatMediaType(i.media, nil)
		size := len(media) + len("data:;base64,") + base64.StdEncoding.EncodedLen(len(i.data))
		if media == "" || size > room {
			return found
		}
		room -= size
		return "data:" + media + ";base64," + base64.StdEncoding.EncodeToString(i.data)
	})
}

// contentID is the Content-ID that an address such as "cid:logo%40shop" means, in lower
// case.
func contentID(address string) string {
	id := address[len("cid:"):]
	if plain, err := url.PathUnescape(id); err == nil {
		id = plain
	}
	return strings.ToLower(id)
}

// put writes what was changed, unless the page is full.
func (b *pageBuilder) put(s string) {
	if b.out.Len()+len(s) <= maxPage {
		b.out.WriteString(s)
	}
}

// attribute is the value of an attribute, "" if it is not there.
func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
