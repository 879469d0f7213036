package route

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"

	"tidings/services/notifier/route/address"
	"tidings/services/notifier/route/wall"
	"tidings/shared/httpx"
	"tidings/shared/subject"
)

const (
	// MaxPerson bounds the JSON of a person in bytes; a sound one is far below.
	MaxPerson = 4 << 10
	// maxDisplayName bounds a person's name in bytes: it stands in the To header.
	maxDisplayName = 128
)

// Person is who is notified and how they can be reached. Only User is needed.
type Person struct {
	// User is the plain user id; it is escaped where a subject is made of it.
	User string `json:"user,omitempty"`
	// Email is one bare address.
	Email string `json:"email,omitempty"`
	// Phone is an E.164 number.
	Phone string `json:"phone,omitempty"`
	// Name is for greetings and the To header.
	Name string `json:"name,omitempty"`
	// Locale is a language tag such as "de-AT".
	Locale string `json:"locale,omitempty"`
	// TZ is a name of the zone database such as "Europe/Vienna"; empty is UTC.
	TZ string `json:"tz,omitempty"`
}

// ParsePerson reads the JSON of a person. user is the id when it stands elsewhere,
// such as in a path; the document may leave it out or must repeat it. Errors are
// *FaultsError or *httpx.Problem.
func ParsePerson(data []byte, user string) (Person, error) {
	var p Person
	if err := decode(data, MaxPerson, &p); err != nil {
		return Person{}, err
	}
	var f faults
	if user != "" && p.User != "" && p.User != user {
		f.add("user", CodeBadValue, "names somebody else")
	}
	p.User = cmp.Or(user, p.User)
	p.check(&f, "")
	return p, f.err("person")
}

// Check reports every fault of p as a *FaultsError.
func (p Person) Check() error {
	var f faults
	p.check(&f, "")
	return f.err("person")
}

// With returns p with what inline gives in its place: the addresses that came with a
// notification win over those on file.
func (p Person) With(inline Person) Person {
	return Person{
		User: cmp.Or(inline.User, p.User), Email: cmp.Or(inline.Email, p.Email), Phone: cmp.Or(inline.Phone, p.Phone),
		Name: cmp.Or(inline.Name, p.Name), Locale: cmp.Or(inline.Locale, p.Locale), TZ: cmp.Or(inline.TZ, p.TZ),
	}
}

// check notes the faults of p below prefix, which is empty or ends in a dot.
func (p Person) check(f *faults, prefix string) {
	if p.User == "" {
		f.add(prefix+"user", CodeMissing, "is needed")
	} else {
		f.user(prefix+"user", p.User)
	}
	if p.Email != "" && !address.Email(p.Email) {
		f.add(prefix+"email", CodeBadEmail, "is not a bare address like ann@example.com")
	}
	if p.Phone != "" && !address.Phone(p.Phone) {
		f.add(prefix+"phone", CodeBadPhone, "is not a number like +4930123456")
	}
	f.line(prefix+"name", p.Name, maxDisplayName)
	if p.Locale != "" && !isLocale(p.Locale) {
		f.add(prefix+"locale", CodeBadLocale, "is not a locale like de-AT")
	}
	f.zone(prefix+"tz", p.TZ)
}

// user checks a user id: whatever the token claims it is, it has to make a topic.
func (f *faults) user(param, id string) {
	if _, err := subject.ParseTopic(string(subject.User(id))); err != nil {
		f.add(param, CodeTooLong, "makes a topic of over %d bytes", subject.MaxLen)
		return
	}
	f.line(param, id, subject.MaxLen)
}

// zone checks the name of a time zone; empty is none.
func (f *faults) zone(param, name string) {
	if _, err := wall.Zone(name); err != nil {
		f.add(param, CodeBadZone, "%q is not a time zone like Europe/Vienna", clip(name))
	}
}

// decode reads one strict JSON value of at most most bytes.
func decode(data []byte, most int, v any) error {
	if len(data) > most {
		return httpx.NewProblem(http.StatusRequestEntityTooLarge, CodeTooLong, "The document is over "+strconv.Itoa(most)+" bytes.").
			WithHint("Send less at once.")
	}
	return httpx.DecodeJSON(bytes.NewReader(data), v)
}
