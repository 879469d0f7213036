package mailbox

import (
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/mailbox/letter"
	"tidings/shared/httpx"
)

const (
	// framed is what the HTML of a mail may do beside what letter.Policy says, opened in
	// whatever way: nothing, except that its links open elsewhere.
	framed = "; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
	// locked is the policy of everything else that a mail brings along.
	locked = "default-src 'none'; frame-ancestors 'self'; sandbox"
)

// mailBody is the body of GET mailbox/:id.
type mailBody struct {
	Mail     Row            `json:"mail"`
	Envelope envelope       `json:"envelope"`
	Session  peer           `json:"session"`
	Headers  []letter.Field `json:"headers"`
	// Text and HTML are absent if the mail has no such part.
	Text *textBody `json:"text,omitempty"`
	HTML *htmlBody `json:"html,omitempty"`
	// SourceURL is where the mail is as it was sent; "" if it is not kept.
	SourceURL   string         `json:"source_url"`
	Attachments []fileBody     `json:"attachments"`
	Links       []letter.Link  `json:"links"`
	Checks      []letter.Check `json:"checks"`
	// Faults are what is wrong with the MIME, in sentences.
	Faults []string `json:"faults"`
}

// textBody is the text part.
type textBody struct {
	Content string `json:"content"`
	// Size is that of the whole in bytes; Cut says that there is more than the content.
	Size int64 `json:"size"`
	Cut  bool  `json:"cut"`
	// Source says that the mail is broken, and that this is its source.
	Source bool `json:"source"`
}

// htmlBody is the HTML part.
type htmlBody struct {
	// Content is a whole document for a sandboxed frame's srcdoc, with its own policy.
	Content string `json:"content"`
	Size    int64  `json:"size"`
	Cut     bool   `json:"cut"`
	// RemoteImages counts those that are not loaded unless asked for.
	RemoteImages int `json:"remote_images"`
	// URL is where a frame can load it from.
	URL string `json:"url"`
}

// fileBody is an attachment, or an image that the HTML shows.
type fileBody struct {
	letter.File
	URL string `json:"url"`
}

// show is GET mailbox/:id.
func (m *Mailbox) show(ctx echo.Context) error {
	k, images, err := m.asked(ctx)
	if err != nil {
		return err
	}
	body := mailBody{
		Mail: k.Row, Envelope: k.envelope, Session: k.peer, Headers: []letter.Field{},
		Attachments: []fileBody{}, Links: []letter.Link{}, Checks: []letter.Check{}, Faults: []string{},
	}
	body.Envelope.To = k.To // which is never null
	if k.Kept {
		body.read(letter.Read(k.raw), images, apiPath+"/"+strconv.FormatInt(k.ID, 10), "?pass="+m.pass.of(k.ID, time.Now()))
	}
	return ctx.JSON(http.StatusOK, body)
}

// read fills in what the letter says. Addresses begin with base and end with pass.
func (b *mailBody) read(l *letter.Letter, images bool, base, pass string) {
	b.Headers = append(b.Headers, l.Header...)
	b.Links, b.Checks = l.Links(), l.Checks()
	b.Faults = append(b.Faults, l.Faults...)
	b.SourceURL = base + "/source" + pass
	if l.Text.There || l.Source {
		b.Text = &textBody{Content: l.Text.Content, Size: l.Text.Size, Cut: l.Text.Cut, Source: l.Source}
	}
	if l.HTML.There {
		p := l.Page(images)
		b.HTML = &htmlBody{Content: p.HTML, Size: l.HTML.Size, Cut: l.HTML.Cut, RemoteImages: p.Remote, URL: base + "/html" + pass}
		if images {
			b.HTML.URL += "&images=1"
		}
	}
	for _, f := range l.Files {
		b.Attachments = append(b.Attachments, fileBody{File: f, URL: base + "/attachments/" + strconv.Itoa(f.N) + pass})
	}
}

// showHTML is GET mailbox/:id/html.
func (m *Mailbox) showHTML(ctx echo.Context) error {
	k, images, err := m.asked(ctx)
	if err != nil {
		return err
	}
	l := letter.Read(k.raw)
	if !l.HTML.There {
		return absent("no_html", "The mail has no HTML part.")
	}
	h := ctx.Response().Header()
	h.Set("Content-Security-Policy", letter.Policy(images)+framed)
	return ctx.HTMLBlob(http.StatusOK, []byte(l.Page(images).HTML))
}

// showText is GET mailbox/:id/text.
func (m *Mailbox) showText(ctx echo.Context) error {
	k, _, err := m.asked(ctx)
	if err != nil {
		return err
	}
	l := letter.Read(k.raw)
	if !k.Kept || !l.Text.There && !l.Source {
		return absent("no_text", "The mail has no text part.")
	}
	return plain(ctx, []byte(l.Text.Content))
}

// showSource is GET mailbox/:id/source.
func (m *Mailbox) showSource(ctx echo.Context) error {
	k, _, err := m.asked(ctx)
	switch {
	case err != nil:
		return err
	case !k.Kept:
		return absent("no_source", "The mail did not come that far.")
	}
	return plain(ctx, k.raw)
}

// plain answers with plain text, in whatever form it is.
func plain(ctx echo.Context, text []byte) error {
	ctx.Response().Header().Set("Content-Security-Policy", locked)
	return ctx.Blob(http.StatusOK, "text/plain; charset=utf-8", text)
}

// showFile is GET mailbox/:id/attachments/:n. It is always a download.
func (m *Mailbox) showFile(ctx echo.Context) error {
	k, _, err := m.asked(ctx)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(ctx.Param("n"))
	if err != nil {
		n = 0 // which is none
	}
	f, content, ok := letter.Read(k.raw).Open(n)
	if !ok {
		return absent("attachment_unknown", "The mail has no such attachment.")
	}
	name := f.Name
	if name == "" {
		name = "attachment-" + strconv.Itoa(n)
	}
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	if disposition == "" {
		disposition = "attachment"
	}
	media := mime.FormatMediaType(f.Type, nil)
	if media == "" {
		media = "application/octet-stream"
	}
	h := ctx.Response().Header()
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", locked)
	return ctx.Blob(http.StatusOK, media, content)
}

// asked finds the mail that is asked for, and whether images from elsewhere may load.
func (m *Mailbox) asked(ctx echo.Context) (k *kept, images bool, err error) {
	q, err := query(ctx, "pass", "images")
	if err != nil {
		return nil, false, err
	}
	switch q.Get("images") {
	case "", "0":
	case "1":
		images = true
	default:
		return nil, false, httpx.Bad("images", "bad_images", "images must be 0 or 1.")
	}
	id, err := idOf(ctx)
	if err != nil {
		return nil, false, err
	}
	if k = m.box.find(id); k == nil {
		return nil, false, unknown()
	}
	return k, images, nil
}

// absent is the answer where the mail has no such part.
func absent(code, detail string) error {
	return httpx.NewProblem(http.StatusNotFound, code, detail)
}
