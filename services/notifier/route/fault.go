package route

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"tidings/shared/httpx"
)

// maxFaults bounds how many faults are told at once: a list of a thousand wrong
// recipients usually has one cause, and the answer has to stay readable.
const maxFaults = 20

// Codes of faults, beside httpx's bad_field and unknown_field. They are part of the
// HTTP API and never change.
const (
	// CodeMissing: a field is needed and there is none.
	CodeMissing = "missing_field"
	// CodeTooLong: a text or a document has too many bytes.
	CodeTooLong = "too_long"
	// CodeTooMany: a list has too many entries.
	CodeTooMany = "too_many"
	// CodeBadCharacter: a text holds a line break or another control character, which
	// could forge a header of a mail.
	CodeBadCharacter = "bad_character"
	// CodeBadName: a category, a template or a hook is no lower-case name.
	CodeBadName = "bad_name"
	// CodeBadValue: a value is none of those there are.
	CodeBadValue = "bad_value"
	// CodeBadRecipient: a recipient is neither a user nor a topic.
	CodeBadRecipient = "bad_recipient"
	// CodeDuplicate: an entry is there twice.
	CodeDuplicate = "duplicate"
	// CodeBadEmail: an e-mail address that cannot be one.
	CodeBadEmail = "bad_email"
	// CodeBadPhone: a phone number not written like +4930123456.
	CodeBadPhone = "bad_phone"
	// CodeBadZone: a time zone that the zone database does not know.
	CodeBadZone = "bad_time_zone"
	// CodeBadLocale: a locale not written like de-AT.
	CodeBadLocale = "bad_locale"
	// CodeBadTime: a time that cannot be read or is too far away.
	CodeBadTime = "bad_time"
	// CodeBadURL: an action's link is neither https nor a path.
	CodeBadURL = "bad_url"
	// CodeExpired: the notification would be expired before anybody got it.
	CodeExpired = "expired"
	// CodeAlwaysQuiet: quiet hours leave no time to deliver.
	CodeAlwaysQuiet = "always_quiet"
	// CodeManyFaults: several of the above; the detail lists them.
	CodeManyFaults = "many_faults"
)

// Fault is one thing that is wrong.
type Fault struct {
	// Param is the path of the field, such as "to[2].email".
	Param string `json:"param"`
	// Code is one of the codes above or of httpx.
	Code string `json:"code"`
	// Detail is a clause that completes "<param> …".
	Detail string `json:"detail"`
}

// FaultsError is everything that is wrong with a document. Nothing of it was accepted.
type FaultsError struct {
	// What was read: "notification", "person" or "preferences".
	What string
	// Faults are the first faults, in the order of the document.
	Faults []Fault
	// Omitted counts the faults beyond those.
	Omitted int
}

// Error lists the faults.
func (e *FaultsError) Error() string { return "bad " + e.What + ": " + e.list() }

// Add adds the faults of a part of the document, whose place is a prefix of their fields.
func (e *FaultsError) Add(prefix string, part *FaultsError) {
	e.Omitted += part.Omitted
	for _, f := range part.Faults {
		if len(e.Faults) == maxFaults {
			e.Omitted++
			continue
		}
		f.Param = prefix + f.Param
		e.Faults = append(e.Faults, f)
	}
}

// Problem implements httpx.Problemer. A single fault shows its own code and field.
// The status is 400, or 422 when the document is sound and merely comes too late.
func (e *FaultsError) Problem() *httpx.Problem {
	if len(e.Faults) != 1 || e.Omitted > 0 {
		return httpx.NewProblem(http.StatusBadRequest, CodeManyFaults, "The "+e.What+" has several faults: "+e.list()+".").
			WithFaults(e.Faults, e.Omitted).WithHint("Nothing was accepted. Mend all of them and send it again.")
	}
	f := e.Faults[0]
	p := httpx.Bad(f.Param, f.Code, "The field "+strconv.Quote(f.Param)+" "+f.Detail+".")
	if f.Code == CodeExpired {
		p.Status = http.StatusUnprocessableEntity
	}
	return p
}

func (e *FaultsError) list() string {
	parts := make([]string, 0, len(e.Faults)+1)
	for _, f := range e.Faults {
		parts = append(parts, f.Param+" "+f.Detail)
	}
	if e.Omitted > 0 {
		parts = append(parts, "and "+strconv.Itoa(e.Omitted)+" more")
	}
	return strings.Join(parts, "; ")
}

// faults collects them while a document is checked.
type faults struct {
	list    []Fault
	omitted int
}

// add notes a fault; detail is a format.
func (f *faults) add(param, code, detail string, args ...any) {
	if len(f.list) == maxFaults {
		f.omitted++
		return
	}
	f.list = append(f.list, Fault{param, code, fmt.Sprintf(detail, args...)})
}

// problem notes why httpx could not decode a part of the document.
func (f *faults) problem(param string, err error) {
	p, ok := errors.AsType[*httpx.Problem](err)
	if !ok {
		f.add(param, httpx.CodeBadField, "cannot be read")
		return
	}
	if p.Param != "" {
		param += "." + p.Param
	}
	if p.Code == httpx.CodeUnknownField {
		f.add(param, p.Code, "is no field")
		return
	}
	f.add(param, p.Code, "cannot be read: %s", strings.TrimSuffix(p.Detail, "."))
}

// count is how many there are, told or not.
func (f *faults) count() int { return len(f.list) + f.omitted }

// err returns what was collected, or nil.
func (f *faults) err(what string) error {
	if len(f.list) == 0 {
		return nil
	}
	return &FaultsError{What: what, Faults: f.list, Omitted: f.omitted}
}
