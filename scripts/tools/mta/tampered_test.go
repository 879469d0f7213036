package mta_test

import (
	"bytes"
	"fmt"
	"testing"
)

// TestTampered changes a stored mail in ways that somebody on its way could, of which
// each must break its signature.
func TestTampered(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa-sha256", "ed25519-sha256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			k, office := newKey(t, algorithm), openPostOffice(t, "ann")
			s := begin(t, office, k)
			s.notify(fmt.Sprintf(`{%s, "category": "alerts", "title": "An offer", "body": "Nothing to pay."}`, to("ann", "Ann", "en")))
			sound := office.mails("ann", 1)[0]
			changes := tampered(t, sound)
			mails := [][]byte{sound, harmless(sound)}
			for _, c := range changes {
				mails = append(mails, c.mail)
			}
			readings := read(t, k, mails)
			for i, r := range readings[:2] {
				if r.msgauth != nil || r.Signatures[0].Result != "pass" || r.DMARC != "pass" {
					t.Errorf("sound mail %d: go-msgauth says %v, mailauth %+v", i, r.msgauth, r.Signatures)
				}
			}
			for i, r := range readings[2:] {
				if r.msgauth == nil {
					t.Errorf("%s: go-msgauth doesn't mind", changes[i].name)
				}
				if len(r.Signatures) != 1 || r.Signatures[0].Result == "pass" || r.DMARC == "pass" {
					t.Errorf("%s: mailauth doesn't mind: %+v, DMARC %s", changes[i].name, r.Signatures, r.DMARC)
				}
			}
		})
	}
}

// harmless does what servers do on the way: they add header fields and fold others anew.
func harmless(mail []byte) []byte {
	mail = bytes.Replace(mail, []byte("\r\nSubject: "), []byte("\r\nSubject:\r\n  "), 1)
	return append([]byte("Received: from somewhere\r\nX-Spam-Status: No\r\n"), mail...)
}

// change is a mail that isn't as it was.
type change struct {
	name string
	mail []byte
}

func tampered(t *testing.T, mail []byte) []change {
	t.Helper()
	var out []change
	replace := func(name, from, to string) {
		t.Helper()
		if bytes.Count(mail, []byte(from)) < 1 {
			t.Fatalf("%s: there is no %q in the mail:\n%s", name, from, mail)
		}
		out = append(out, change{name, bytes.Replace(mail, []byte(from), []byte(to), 1)})
	}
	replace("another subject", "\r\nSubject: An offer", "\r\nSubject: An order")
	replace("another text", "Nothing to pay.", "Nothing to lose.")
	replace("another author", "?Kaffeehaus_Z=C3=BCrich?=", "?Kaffeehaus_B=C3=BCrich?=")
	replace("another reader", "\r\nTo: ", "\r\nTo: <bob@"+mailDomain+">, ")
	replace("another date", "\r\nDate: ", "\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nX-Date: ")
	replace("another Message-ID", "\r\nMessage-ID: <", "\r\nMessage-ID: <x")
	replace("another type", "\r\nContent-Type: multipart/alternative", "\r\nContent-Type: multipart/mixed")
	replace("another link to unsubscribe", "<http://127.0.0.1", "<http://127.0.0.2")
	replace("no link to unsubscribe", "\r\nList-Unsubscribe:", "\r\nX-List-Unsubscribe:")
	replace("no one click", "\r\nList-Unsubscribe-Post:", "\r\nX-List-Unsubscribe-Post:")
	for _, field := range []string{"Subject: A second one", "From: Somebody else <news@" + senderDomain + ">"} {
		out = append(out, change{"added " + field, append([]byte(field+"\r\n"), mail...)})
	}
	return out
}
