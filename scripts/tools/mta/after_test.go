package mta_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestUnknownRecipient has OpenSMTPD refuse a mail. That is told in the timeline, not tried
// again, and held against nobody else.
func TestUnknownRecipient(t *testing.T) {
	t.Parallel()
	office := openPostOffice(t, "ann")
	s := begin(t, office, newKey(t, "ed25519-sha256"))
	id := s.notify(fmt.Sprintf(`{%s, "category": "alerts", "title": "Nobody reads this"}`, to("zed", "Zed", "en")))
	d := s.mailOf(id, "dead")
	if !strings.Contains(d.Error, "550") {
		t.Errorf("the timeline says %+v", d)
	}
	if strings.Contains(d.Error+d.Detail, "zed@") {
		t.Errorf("the timeline shows the address: %+v", d)
	}
	var dead struct {
		Deliveries []struct{ Attempts int }
	}
	s.ask(http.MethodGet, "/v1/notifications/"+id, "", &dead)
	for _, d := range dead.Deliveries {
		if d.Attempts > 1 {
			t.Errorf("it was tried %d times", d.Attempts)
		}
	}
	s.mailOf(s.notify(fmt.Sprintf(`{%s, "category": "alerts", "title": "Ann reads this"}`, to("ann", "Ann", "en"))), "sent")
	office.mails("ann", 1)
}

// TestUntrusted has a mail server whose certificate nobody vouches for. It gets nothing,
// and the mail waits.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	office := openPostOffice(t, "ann")
	s := begin(t, office, newKey(t, "ed25519-sha256"), "SSL_CERT_FILE="+os.DevNull)
	id := s.notify(fmt.Sprintf(`{%s, "category": "alerts", "title": "A secret"}`, to("ann", "Ann", "en")))
	if !poll(func() bool {
		_, metrics := visit(t, http.MethodGet, s.admin+"/metrics", "")
		return regexp.MustCompile(`(?m)^tidings_mail_answers_total\{outcome="fault",provider="127\.0\.0\.1"\} [1-9]`).MatchString(metrics)
	}, s.exited) {
		t.Error("the provider is not at fault")
	}
	if n := office.front.encrypted.Load(); n > 0 || len(office.stored("ann")) > 0 {
		t.Errorf("%d connections were encrypted, and %d mails stored", n, len(office.stored("ann")))
	}
	s.mailOf(id, "sending")
}

// TestOneClick unsubscribes as a mail program does, after a scanner of links has looked
// at the link.
func TestOneClick(t *testing.T) {
	t.Parallel()
	office := openPostOffice(t, "ann")
	s := begin(t, office, newKey(t, "ed25519-sha256"))
	send := func(category, title, state string) delivery {
		t.Helper()
		return s.mailOf(s.notify(fmt.Sprintf(`{%s, "category": %q, "title": %q}`, to("ann", "Ann", "en"), category, title)), state)
	}
	send("alerts", "One", "sent")
	m, err := mail.ReadMessage(bytes.NewReader(office.mails("ann", 1)[0]))
	if err != nil {
		t.Fatal(err)
	}
	link := strings.Trim(m.Header.Get("List-Unsubscribe"), "<>")

	for _, method := range []string{http.MethodHead, http.MethodGet} {
		if status, text := visit(t, method, link, ""); status != http.StatusOK || method == http.MethodGet && !strings.Contains(text, "<form") {
			t.Errorf("%s: %d %s", method, status, text)
		}
	}
	send("alerts", "Two", "sent")

	if status, text := visit(t, http.MethodPost, link, m.Header.Get("List-Unsubscribe-Post")); status != http.StatusOK {
		t.Errorf("one click: %d %s", status, text)
	}
	if d := send("alerts", "Three", "dropped"); d.Reason != "suppressed_unsubscribed" {
		t.Errorf("after one click: %+v", d)
	}
	send("shipping", "Four", "sent") // another category
	send("account", "Five", "sent")  // not for anybody to unsubscribe from

	if status, _ := visit(t, http.MethodPost, link[:len(link)-4]+"AAAA", m.Header.Get("List-Unsubscribe-Post")); status != http.StatusNotFound {
		t.Errorf("a forged link: %d", status)
	}
	office.mails("ann", 4)
}

// visit asks for a link as a browser would, or posts what a mail says.
func visit(t *testing.T, method, link, form string) (status int, text string) {
	t.Helper()
	if _, err := url.ParseQuery(form); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, link, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
