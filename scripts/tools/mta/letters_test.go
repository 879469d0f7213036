package mta_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// sender and brand are the installation's, outside ASCII as they may be.
const (
	senderName   = "Kaffeehaus Zürich"
	senderDomain = "example.org"
	sender       = senderName + " <news@" + senderDomain + ">"
	brand        = senderName
)

// letter is a mail that is asked for, and what must be in it.
type letter struct {
	name string
	// documents are the notifications that make the one mail.
	documents []string
	// user, person and locale are whom it goes to; with a letter each, so that none has two.
	user, person, locale string
	subject              string
	// text and html are what people must be able to read; white space doesn't count.
	text, html []string
	// known has the person put on file first. A digest is sent long after the address that
	// came with a notification was forgotten.
	known bool
	// bound says that it can't be unsubscribed.
	bound bool
	// buttons is how many it has.
	buttons int
}

// order is the data of the template order_shipped.
const order = `"template": "order_shipped", "category": "shipping", "data": {
	"order": "A-10482", "carrier": "Österreichische Post", "tracking": "JD014600006281230704",
	"tracking_url": "https://tracking.example.com/JD014600006281230704", "eta": "2026-11-26",
	"items": [
		{"name": "Wasserkessel „Größe L“, emailliert", "quantity": 1},
		{"name": "Чашка керамическая, песочная", "quantity": 4},
		{"name": "Filter № 4, 100 Stück", "quantity": 2}
	]}`

// hard is a text with what has broken mails before: lines that begin with a dot and with
// From, one longer than SMTP takes and without a space, a soft hyphen, an emoji, an equals
// sign at the end of a line.
var hard = "First.\n.\n..dots\nFrom here on\na=b=\n" + strings.Repeat("Donaudampfschifffahrtsgesellschaft", 40) + "\n\nLast: 👩🏽‍💻 naïve\u00adté"

// letters are the mails of the tests.
func letters() []letter {
	var comments []string
	for i, title := range []string{"Jonas commented on “Pricing page”", "Your export is ready", "Mira invited you to “Launch week” " + strings.Repeat("LaunchWeek", 12)} {
		comments = append(comments, fmt.Sprintf(`{"to": ["dora"], "category": "comments", "title": %s,
			"body": "Number %d: can we move the yearly plan to the front? Most people ask for it first.", "actions": [{"label": "Open", "url": "/docs/%d"}]}`,
			quote(title), i+1, i+1))
	}
	long := "Überlange Betreffzeile über die vollständige Wiederherstellung der nächtlichen Datensicherung – с кириллицей, 日本語 und 🚀"
	list := []letter{
		{
			name: "default", user: "ann", person: "Zoë Ångström-Müller", locale: "en",
			documents: []string{`{%to, "category": "alerts", "severity": "high", "title": "The nightly backup failed – disk full",
				"body": "The backup of db-3 stopped after 41 minutes: the disk of the target is full.\n\nThe last complete backup is from Sunday, 3:00.",
				"actions": [{"label": "Show the log", "url": "/backups/db-3/log"}, {"label": "Try again now", "url": "https://app.example.org/retry"}]}`},
			subject: "The nightly backup failed – disk full",
			text:    []string{"stopped after 41 minutes", "Sunday, 3:00.", "https://app.example.org/backups/db-3/log"},
			html:    []string{"stopped after 41 minutes", "Show the log", "Try again now", "Important"}, buttons: 2,
		},
		{
			name: "order-de", user: "bob", person: "Jürgen Groß", locale: "de", documents: []string{`{%to, ` + order + `}`},
			subject: "Bestellung A-10482 ist unterwegs",
			text:    []string{"Gute Nachrichten, Jürgen Groß!", "Österreichische Post hat Ihre Bestellung abgeholt.", "26. November 2026", "4 × Чашка керамическая, песочная"},
			html:    []string{"Gute Nachrichten, Jürgen Groß!", "26. November 2026", "Wasserkessel „Größe L“, emailliert", "Sendung verfolgen", "Abbestellen"}, buttons: 1,
		},
		{
			name: "order-ru", user: "eve", person: "Ева Смирнова-Оболенская", locale: "ru", documents: []string{`{%to, ` + order + `}`},
			subject: "Заказ A-10482 уже в пути",
			text:    []string{"Хорошие новости, Ева Смирнова-Оболенская!", "26 ноября 2026 г.", "3 товара в посылке"},
			html:    []string{"Хорошие новости, Ева Смирнова-Оболенская!", "26 ноября 2026 г.", "Отследить посылку", "Отписаться"}, buttons: 1,
		},
		{
			name: "digest", user: "dora", person: "Dóra Nagy", locale: "en", known: true, documents: comments, subject: "3 new notifications",
			text: []string{"Jonas commented on “Pricing page”", "Your export is ready", "Mira invited you to “Launch week”", "Number 3: can we", "https://app.example.org/docs/1"},
			html: []string{"Jonas commented on “Pricing page”", "Your export is ready", "Mira invited you to “Launch week”", "Number 3: can we"},
		},
		{
			name: "hard", user: "kim", person: "Kim \"<kim@evil.example>, Bcc: \\", locale: "en",
			documents: []string{`{%to, "category": "alerts", "severity": "critical", "title": ` + quote(long) + `, "body": ` + quote(hard) + `}`},
			subject:   long, text: strings.Split(hard, "\n"), html: strings.Split(hard, "\n"),
		},
		{
			name: "account", user: "finn", person: "Finn", locale: "en", bound: true,
			documents: []string{`{%to, "category": "account", "title": "Your code is 123 456", "body": "It is valid for five minutes."}`},
			subject:   "Your code is 123 456", text: []string{"five minutes"}, html: []string{"five minutes"},
		},
	}
	for i, l := range list {
		for j, doc := range l.documents {
			list[i].documents[j] = strings.ReplaceAll(doc, "%to", to(l.user, l.person, l.locale))
		}
	}
	return list
}

// users are whom letters go to.
func users() []string {
	var out []string
	for _, l := range letters() {
		out = append(out, l.user)
	}
	return out
}

// send has the letters sent and returns the mails in their order.
func (s *process) send(p *postOffice) [][]byte {
	s.t.Helper()
	for _, l := range letters() {
		if l.known {
			var stored struct{}
			s.ask(http.MethodPut, "/v1/people/"+l.user, person(l.user, l.person, l.locale), &stored)
		}
		for _, doc := range l.documents {
			if !json.Valid([]byte(doc)) {
				s.t.Fatalf("%s: this is no JSON: %s", l.name, doc)
			}
			s.notify(doc)
		}
	}
	var mails [][]byte
	for _, l := range letters() {
		mails = append(mails, p.mails(l.user, 1)[0])
	}
	return mails
}
