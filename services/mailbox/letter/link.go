package letter

import (
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

const (
	// MaxLinks bounds the links that are listed.
	MaxLinks = 200
	// maxLink bounds one of them, and what it is called, in bytes.
	maxLink, maxLinkText = 4 << 10, 200
)

// Where a link stands.
const (
	// InHTML and InText are the two bodies.
	InHTML = "html"
	InText = "text"
	// InUnsubscribe is the field List-Unsubscribe.
	InUnsubscribe = "list-unsubscribe"
)

// Link is an address that a reader may follow: http, https, mailto or tel.
type Link struct {
	URL string `json:"url"`
	// Text is what the HTML calls it.
	Text string `json:"text"`
	// In is where it stands: InHTML, InText or InUnsubscribe.
	In string `json:"in"`
	// OneClick says that a POST to it unsubscribes, as RFC 8058 has it.
	OneClick bool `json:"one_click,omitempty"`
}

// address finds addresses in a text.
var address = regexp.MustCompile(`\bhttps?://[^\s<>"\x60{}|\\^]+`)

// bracketed finds the addresses of List-Unsubscribe.
var bracketed = regexp.MustCompile(`<([^<>]*)>`)

// Links lists the first MaxLinks links, each once for every place it stands in: the
// header's first, then the HTML's and the text's, in their order.
func (l *Letter) Links() []Link {
	list := links{found: []Link{}, seen: map[Link]bool{}}
	oneClick := strings.EqualFold(strings.TrimSpace(l.text("List-Unsubscribe-Post")), "List-Unsubscribe=One-Click")
	for _, m := range bracketed.FindAllStringSubmatch(l.text("List-Unsubscribe"), MaxLinks) {
		at := strings.TrimSpace(m[1])
		list.add(Link{URL: at, In: InUnsubscribe, OneClick: oneClick && strings.HasPrefix(strings.ToLower(at), "https:")})
	}
	list.html(l.HTML.Content)
	if l.Text.There {
		for _, at := range address.FindAllString(l.Text.Content, MaxLinks) {
			list.add(Link{URL: strings.TrimRight(at, ".,;:!?)]'"), In: InText})
		}
	}
	return list.found
}

// links gathers links.
type links struct {
	found []Link
	seen  map[Link]bool // without their texts
}

// add adds one, unless it is there or no link to follow.
func (l *links) add(one Link) {
	u, err := url.Parse(one.URL)
	if err != nil || len(one.URL) > maxLink || len(l.found) == MaxLinks {
		return
	}
	switch u.Scheme {
	case "http", "https", "mailto", "tel":
	default:
		return
	}
	key := Link{URL: one.URL, In: one.In}
	if !l.seen[key] {
		l.seen[key] = true
		l.found = append(l.found, one)
	}
}

// html adds those of a page.
func (l *links) html(page string) {
	z := html.NewTokenizer(strings.NewReader(page))
	var open *Link
	var text strings.Builder
	done := func() {
		if open != nil {
			open.Text = clip([]byte(strings.Join(strings.Fields(text.String()), " ")), maxLinkText)
			l.add(*open)
		}
		open = nil
		text.Reset()
	}
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			done()
			return
		}
		t := z.Token()
		switch {
		case kind == html.TextToken && open != nil && text.Len() < maxLink:
			text.WriteString(t.Data)
		case t.Data != "a" && t.Data != "area":
		case kind == html.EndTagToken:
			done()
		case kind == html.StartTagToken || kind == html.SelfClosingTagToken:
			done()
			if at := strings.TrimSpace(attribute(t, "href")); at != "" {
				open = &Link{URL: at, In: InHTML}
			}
		}
	}
}
