package auth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// CookieName is the cookie that may carry a token.
	CookieName = "tidings_token"
	// TicketParam is the query parameter that may carry a ticket.
	TicketParam = "ticket"
	// bearerSlack is what an Authorization header may hold beside the token: the
	// scheme and some spaces.
	bearerSlack = 32
)

// Authenticator finds the credential of an HTTP request and checks it. Its fields
// are set once, before use.
type Authenticator struct {
	// Verifier checks tokens. Without one every token is refused.
	Verifier *Verifier
	// Tickets redeems the query parameter "ticket". If nil, the parameter is not a
	// credential and is not looked at.
	Tickets *Tickets
	// Origins are further origins whose pages may use the cookie, such as
	// "https://app.example.com". The request's own host always may. There is no
	// wildcard: it would give every page on the web the user's rights.
	Origins []string
	// Local, if not nil, is the grant of a request without credential that comes
	// from a program on this machine: curl, but no browser and no proxy. It is for
	// development.
	Local *Grant
	// Revoked, if not nil, tells at once whether the token of a grant was taken back.
	Revoked func(*Grant) bool
}

// Authenticate returns what the request may do, or an *Error. It looks for a Bearer
// header, a ticket and the cookie, in this order. The first one present decides:
// if it is bad, so is the request.
func (a *Authenticator) Authenticate(r *http.Request) (*Grant, error) {
	if values := r.Header.Values("Authorization"); len(values) > 0 {
		token, err := bearer(values)
		if err != nil {
			return nil, err
		}
		return a.Verify(r.Context(), token)
	}
	if a.Tickets != nil {
		ticket, present, err := ticketOf(r.URL)
		if err != nil {
			return nil, err
		}
		if present {
			return a.standing(a.Tickets.Redeem(r.Context(), ticket))
		}
	}
	token, present, err := cookieOf(r.Header)
	if present || err != nil {
		// The origin is judged first: another site learns nothing about the cookie.
		if foreign := a.checkOrigin(r); foreign != nil {
			return nil, foreign
		}
		if err != nil {
			return nil, err
		}
		return a.Verify(r.Context(), token)
	}
	if a.Local != nil && !a.Local.Expired(time.Now()) && local(r) {
		g := *a.Local
		return &g, nil
	}
	return nil, &Error{Code: CodeTokenMissing, Reason: "no credential was sent: send a token as \"Authorization: Bearer …\", in the cookie " + CookieName + ", or a ticket"}
}

// Verify returns what a token may do that did not come in a request's head, or an
// *Error.
func (a *Authenticator) Verify(ctx context.Context, token string) (*Grant, error) {
	if a.Verifier == nil {
		return nil, invalid("this server accepts no tokens")
	}
	return a.standing(a.Verifier.Verify(ctx, token))
}

// standing refuses a grant whose token was revoked.
func (a *Authenticator) standing(g *Grant, err error) (*Grant, error) {
	if err == nil && a.Revoked != nil && a.Revoked(g) {
		return nil, &Error{Code: CodeTokenRevoked, Reason: "the token has been revoked: get a new one"}
	}
	return g, err
}

// bearer returns the token of the Authorization headers. Another scheme is not
// ignored: the caller believes to have logged in with it.
func bearer(values []string) (string, error) {
	if len(values) > 1 {
		return "", malformed("there is more than one Authorization header: send one")
	}
	if len(values[0]) > MaxTokenBytes+bearerSlack {
		return "", malformed("the token is longer than %d bytes: use fewer or wider patterns", MaxTokenBytes)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", malformed("the Authorization header must be \"Bearer\", a space and the token")
	}
	return token, nil
}

// ticketOf returns the ticket of a query. A query that cannot be parsed, or has
// more than one ticket, is an error: it must not pass for one without.
func ticketOf(u *url.URL) (ticket string, present bool, err error) {
	q, err := url.ParseQuery(u.RawQuery)
	values, present := q[TicketParam]
	switch {
	case err != nil && strings.Contains(u.RawQuery, TicketParam), len(values) > 1:
		return "", false, badTicket(nil)
	case !present:
		return "", false, nil
	}
	return values[0], true, nil
}

// cookieOf returns the token in the cookie. It does not use net/http's parser,
// which drops malformed cookies silently. Several different values are refused:
// one of them may have been planted by a sibling domain.
func cookieOf(h http.Header) (token string, present bool, err error) {
	for _, line := range h.Values("Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(pair, "=")
			if strings.TrimSpace(name) != CookieName {
				continue
			}
			value = strings.Trim(strings.TrimSpace(value), `"`)
			if present && value != token {
				return "", true, malformed("there are several different %s cookies: delete them and log in again", CookieName)
			}
			token, present = value, true
		}
	}
	return token, present, nil
}
