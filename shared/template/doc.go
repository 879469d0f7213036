// Package template makes the words of a notification: the title and body that stand in
// an inbox, a push or an SMS, and the HTML and text of a mail.
//
// A template is a folder of files, all of them optional:
//
//	about.txt               one line for people: what it is for
//	title.txt, body.txt     the title (a mail's subject too) and the plain body
//	mail.html, mail.txt     the content of the mail, without head and footer
//	messages.<locale>.toml  its words in a language (go-i18n, with CLDR plurals)
//	sample.json             an Input to look at it with, and to try it at loading
//
// What a folder leaves out comes from the folder base, which also holds the layouts
// that all mails are put in. Load takes layers of such folders, and a later layer
// replaces an earlier one file by file: Builtin is usually the first.
//
// # What a template sees
//
// The dot is plain data, without methods: .Title .Body .Category .Severity .User .Name
// .Brand .At (RFC 3339), .Actions (each .Label .URL), .Items (each .Title .Body .URL
// .At), .Data as it was sent, .Lang, .Dir, .UnsubscribeURL and .PreferencesURL; in
// mails also .Subject and .Text, the rendered title and body. A key that isn't there is
// an error; {{index .Data "key"}} asks for one that may be absent. The functions are:
//
//	t "key" "Name" .Name …   a message; tn "key" n … one in the plural of n, {{.Count}}
//	date, clock, moment      a day, a time, both: in the person's zone and language
//	number                   a number in the person's language
//	link                     an address that is safe to follow, "" if it isn't
//	paragraphs               a text as a list of lists of lines
//	first n list, after n list, days items, clip n text
//	button label url         what the layout's "button-first" and "button-second" take
//
// Messages are plain text with {{.Name}} in it and nothing more, so translators can't
// break a page. They are looked up in the person's locale, its parents, then English.
//
// # Safety
//
// Templates are the operator's; data is a stranger's. HTML is escaped by context, and
// only http, https and mailto links survive. A title is one line whatever the data
// says. Output, steps and time of a rendering are bounded. html/template drops HTML
// comments, and with them what makes Outlook behave; here each one is kept, and has to
// be free of actions for that. Notes for authors are {{/* comments of the template */}}.
//
// # Concurrency
//
// A Set never changes and is safe for concurrent use; so is a Live. The package starts
// no goroutine.
package template
