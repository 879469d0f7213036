package mta_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os/exec"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

// signature is what mailauth says of one.
type signature struct {
	Result, Comment, Aligned, Algorithm, Domain string
	Signed                                      []string
}

// named is an address as postal-mime reads it.
type named struct{ Name, Address string }

// reading is what other programs find in a mail.
type reading struct {
	// What mailauth says.
	Signatures []signature
	DMARC      string
	// What postal-mime finds.
	Subject, MessageID, Date string
	From                     named
	To                       []named
	Text, HTML               string
	Attachments              int
	// What go-msgauth says: why the signature doesn't hold, and the fields it covers.
	msgauth error
	covered []string
}

// read has mails read by mailauth, postal-mime and go-msgauth.
func read(t *testing.T, k *key, mails [][]byte) []reading {
	t.Helper()
	question, err := json.Marshal(map[string]any{"zone": k.zone, "mails": mails})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "read.mjs")
	node.Stdin = bytes.NewReader(question)
	var complaint bytes.Buffer
	node.Stderr = &complaint
	answer, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, complaint.Bytes())
	}
	var readings []reading
	if err := json.Unmarshal(answer, &readings); err != nil || len(readings) != len(mails) {
		t.Fatalf("node read %d of %d mails: %v in %s", len(readings), len(mails), err, answer)
	}
	for i := range readings {
		readings[i].covered, readings[i].msgauth = verify(k, mails[i])
	}
	return readings
}

// verify verifies the one signature of a mail with go-msgauth.
func verify(k *key, text []byte) (signed []string, err error) {
	verifications, err := dkim.VerifyWithOptions(bytes.NewReader(text), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if records := k.zone[name]; records != nil {
			return records, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}})
	if err != nil {
		return nil, err
	}
	if len(verifications) != 1 || verifications[0].Domain != senderDomain {
		return nil, errors.New("there is not the one signature of the sender's domain")
	}
	return verifications[0].HeaderKeys, verifications[0].Err
}

// part is a body of a mail, decoded.
type part struct{ kind, charset, encoding, text string }

// parse reads a mail with Go's own packages, which the product doesn't write mails with.
func parse(t *testing.T, text []byte) (mail.Header, []part) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("a mail of the type %q: %v", kind, err)
	}
	var parts []part
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{kind, params["charset"], p.Header.Get("Content-Transfer-Encoding"), string(body)})
	}
}
