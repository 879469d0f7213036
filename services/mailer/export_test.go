package mailer

import (
	"tidings/services/mailer/smtp"
	"tidings/shared/ledger"
	"tidings/shared/notice"
	"tidings/shared/worker"
)

// Compose writes a mail without sending it.
func Compose(cfg Config, job worker.Job, msg notice.Message) (smtp.Mail, error) {
	m := &Mailer{queue: &worker.Queue{}, ledger: &ledger.Ledger{}}
	if _, err := m.read(cfg); err != nil {
		return smtp.Mail{}, err
	}
	to, err := parseAddress(msg.Person.Email)
	if err != nil {
		return smtp.Mail{}, err
	}
	return m.compose(job, msg, to)
}

// ParseAddress reads an address as it is written to an envelope.
func ParseAddress(s string) (string, error) {
	a, err := parseAddress(s)
	return a.String(), err
}

// CheckLink checks a link of List-Unsubscribe.
func CheckLink(s string) error { return checkLink(s) }

// Remembered returns what a memory knows after keeping some keys.
func Remembered(keys []string, key string) string {
	m := newMemory()
	for _, k := range keys {
		m.keep(k, "by "+k)
	}
	return m.of(key)
}
