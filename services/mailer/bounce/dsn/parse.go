package dsn

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-message"
)

// Bounds of a message. What is beyond is not read: a report comes before the original,
// and of that only the header counts.
const (
	// MaxMessage is how many bytes of a message are read.
	MaxMessage = 1 << 20
	// maxHeader bounds a message's header in bytes.
	maxHeader = 64 << 10
	// maxPart is how many bytes of one part are kept.
	maxPart = 64 << 10
	// maxParts and maxDepth bound the parts. A report has three, one below another.
	maxParts, maxDepth = 20, 4
)

// ErrNotReport says that a message is no report: somebody's answer, or garbage.
var ErrNotReport = errors.New("the message reports no bounce and no complaint")

// Parse reads a message and returns what it reports, one Report for each address.
// Nothing of it is proven, see package bounce. Errors wrap ErrNotReport, or are those of r.
func Parse(r io.Reader) ([]Report, error) {
	read := &onlyReader{r: io.LimitReader(r, MaxMessage)}
	m, err := message.ReadWithOptions(read, &message.ReadOptions{MaxHeaderBytes: maxHeader})
	if err == nil || m != nil {
		w := &walk{}
		w.outer = outerOf(m)
		w.visit(m, 0)
		if read.err == nil {
			if reports := w.reports(); len(reports) > 0 {
				return reports, nil
			}
			return nil, ErrNotReport
		}
	}
	if read.err != nil {
		return nil, fmt.Errorf("read a message: %w", read.err)
	}
	return nil, fmt.Errorf("%w: %w", ErrNotReport, err)
}

// onlyReader remembers an error that is not the end, which must not be taken for the
// end of a message.
type onlyReader struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (o *onlyReader) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		o.err = err
	}
	return n, err // an io.Reader's errors are compared
}

// outerOf are the fields of the message itself.
func outerOf(m *message.Entity) fields {
	var f fields
	for h := m.Header.Fields(); h.Next() && len(f) < maxFields; {
		f = append(f, field{strings.ToLower(h.Key()), Cut(strings.TrimSpace(h.Value()), maxValue)})
	}
	return f
}

// walk collects the parts that count.
type walk struct {
	outer    fields
	status   []fields // of message/delivery-status
	feedback fields   // of message/feedback-report
	original fields   // the header of the mail that came back
	text     string   // the first part for people
	parts    int
}

// visit looks into an entity and those below it.
func (w *walk) visit(e *message.Entity, depth int) {
	if w.parts++; w.parts > maxParts {
		return
	}
	kind, _, err := e.Header.ContentType()
	if err != nil && kind == "" {
		kind = "text/plain"
	}
	if mr := e.MultipartReader(); mr != nil {
		if depth >= maxDepth {
			return
		}
		for w.parts <= maxParts {
			part, err := mr.NextPart()
			// A part in a foreign charset comes with an error and can be read. All other
			// errors end the message, as a cut one does; what was found so far counts.
			if part == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
				return
			}
			w.visit(part, depth+1)
		}
		return
	}
	switch strings.ToLower(kind) {
	case "message/delivery-status", "message/global-delivery-status":
		w.status = append(w.status, groupsOf(body(e))...)
	case "message/feedback-report":
		w.feedback = append(w.feedback, slices.Concat(groupsOf(body(e))...)...)
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers":
		if w.original == nil {
			w.original = headerOf(body(e))
		}
	case "text/plain":
		if w.text == "" {
			w.text = string(body(e))
		}
	}
}

// body returns the beginning of an entity's body. An error ends it, as a cut does.
func body(e *message.Entity) []byte {
	data, _ := io.ReadAll(io.LimitReader(e.Body, maxPart))
	return data
}

// reports makes the reports of what was collected.
func (w *walk) reports() []Report {
	if len(w.feedback) > 0 {
		return w.complaint()
	}
	if len(w.status) == 0 {
		return w.old()
	}
	var reports []Report
	for _, group := range w.status {
		if r, ok := w.failure(group); ok {
			reports = append(reports, r)
		}
	}
	return reports
}

// failure reads the fields about one recipient, RFC 3464.
func (w *walk) failure(group fields) (Report, bool) {
	original, final := typed(group.get("original-recipient")), typed(group.get("final-recipient"))
	if original == "" && final == "" {
		return Report{}, false // the fields about the message
	}
	r := w.common()
	r.Recipient = original
	if original == "" {
		r.Recipient = final
	}
	r.Recipient = Line(r.Recipient)
	r.Evidence.Recipients = Few(original, xtext(original), final)
	r.Status = Code(group.get("status"))
	diagnostic := group.get("diagnostic-code")
	if kind, value, ok := strings.Cut(diagnostic, ";"); ok && isName(strings.TrimSpace(kind)) {
		diagnostic = value
	}
	r.Diagnostic = Line(diagnostic)
	if at := when(group.get("last-attempt-date")); !at.IsZero() {
		r.At = at
	}
	action, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(group.get("action"))), " ")
	switch action {
	case "failed":
		r.Kind = Classify(r.Status, r.Diagnostic)
	case "delayed":
		r.Kind = Delayed
	case "delivered", "relayed":
		r.Kind = Delivered
	case "":
		// It is required and yet missing sometimes; the code says whether it failed.
		r.Kind = Classify(r.Status, r.Diagnostic)
		return r, strings.HasPrefix(r.Status, "5")
	default: // "expanded" and inventions
		return Report{}, false
	}
	return r, true
}

// complaint reads a feedback report, RFC 5965. Those that are no complaint of a person
// (auth-failure, virus, not-spam) report nothing.
func (w *walk) complaint() []Report {
	switch strings.ToLower(w.feedback.get("feedback-type")) {
	case "abuse", "fraud", "opt-out", "opt-out-list":
	default:
		return nil
	}
	r := w.common()
	r.Kind = Complaint
	for _, s := range w.feedback.all("original-rcpt-to") {
		r.Evidence.Recipients = Few(append(r.Evidence.Recipients, addresses(s)...)...)
	}
	if len(r.Evidence.Recipients) > 0 {
		r.Recipient = Line(r.Evidence.Recipients[0])
	}
	for _, s := range w.feedback.all("original-mail-from") {
		r.Evidence.ReturnPaths = Few(append(r.Evidence.ReturnPaths, addresses(s)...)...)
	}
	r.Diagnostic = Line("feedback report: " + w.feedback.get("feedback-type"))
	for _, name := range []string{"received-date", "arrival-date"} {
		if at := when(w.feedback.get(name)); !at.IsZero() {
			r.At = at
		}
	}
	return []Report{r}
}

// common is what all reports of a message have in common.
func (w *walk) common() Report {
	r := Report{At: when(w.outer.get("date"))}
	r.MessageID, r.Key = MessageID(w.original.get("message-id"))
	r.Evidence.Trace = w.original.get(strings.ToLower(TraceHeader))
	for _, s := range append(w.outer.all("delivered-to", "x-original-to", "envelope-to", "to"), w.original.all("return-path")...) {
		r.Evidence.ReturnPaths = Few(append(r.Evidence.ReturnPaths, addresses(s)...)...)
	}
	for _, s := range w.original.all("to") {
		r.Evidence.To = Few(append(r.Evidence.To, addresses(s)...)...)
	}
	return r
}

// Few returns the first MaxEvidence different values that are not empty.
func Few(values ...string) []string {
	var out []string
	for _, v := range values {
		if v != "" && len(out) < MaxEvidence && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
