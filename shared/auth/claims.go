package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"tidings/shared/subject"
)

// Bounds of the claims.
const (
	// MaxUserBytes is the longest user id. It is a metric, log and index key.
	MaxUserBytes = 200
	// MaxPatterns is the most patterns in each of tidings.sub and tidings.pub. They
	// are walked at every topic change and publish.
	MaxPatterns = 100
	// maxTokenID is the longest jti in bytes; revocation keeps a set of them.
	maxTokenID = 200
	// maxNumericDate is the last second of the year 9999. Later times overflow
	// somewhere, and a wrapped exp could make an ended token valid.
	maxNumericDate = 253402300799
)

// claims are the members of a token's payload, not yet looked at. They are read
// one by one after the signature was verified, so that an unsigned token costs
// little and learns nothing. It implements jwt.Claims.
type claims struct {
	members map[string]json.RawMessage
}

// UnmarshalJSON splits the payload. It decodes no member.
func (c *claims) UnmarshalJSON(b []byte) error {
	if !utf8.Valid(b) {
		return malformed("the token's claims are not valid UTF-8")
	}
	m, err := members(b)
	if err != nil {
		return malformed("the token's claims %v", err)
	}
	c.members = m
	return nil
}

// GetExpirationTime returns exp. It is an error if there is none: a token that
// never ends can never be got rid of.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) {
	d, err := c.date("exp")
	if err == nil && d == nil {
		return nil, invalid("the token has no exp claim: issue it with an expiry")
	}
	return d, err
}

// GetIssuedAt returns iat, or nil.
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return c.date("iat") }

// GetNotBefore returns nbf, or nil.
func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return c.date("nbf") }

// GetIssuer returns iss, or "".
func (c *claims) GetIssuer() (string, error) { return member[string](c.members, "iss", "a string") }

// GetSubject returns sub, or "".
func (c *claims) GetSubject() (string, error) { return member[string](c.members, "sub", "a string") }

// GetAudience returns aud, which may be one string or a list of them.
func (c *claims) GetAudience() (jwt.ClaimStrings, error) {
	return member[jwt.ClaimStrings](c.members, "aud", "a string or a list of strings")
}

func (c *claims) date(name string) (*jwt.NumericDate, error) {
	if _, ok := c.members[name]; !ok {
		return nil, nil // The jwt.Claims interface asks for this when a claim is absent.
	}
	f, err := member[float64](c.members, name, "a number")
	if err != nil {
		return nil, err
	}
	if f < 0 || f > maxNumericDate {
		return nil, invalid("the token's %s claim is not a time in seconds since 1970", name)
	}
	sec := int64(f)
	return &jwt.NumericDate{Time: time.Unix(sec, int64((f-float64(sec))*1e9)).UTC()}, nil
}

// grant reads what the token allows. The claims must have been verified and valid
// at now with the given leeway.
func (c *claims) grant(now time.Time, leeway time.Duration) (*Grant, error) {
	exp, err := c.GetExpirationTime()
	if err != nil {
		return nil, err
	}
	g := &Grant{Expires: exp.Time}
	if !now.Before(g.Expires) {
		g.Expires = g.Expires.Add(leeway)
	}
	if g.User, err = c.GetSubject(); err != nil {
		return nil, err
	}
	if err = checkUser(g.User); err != nil {
		return nil, invalid("the token's sub claim %v", err)
	}
	if g.TokenID, err = member[string](c.members, "jti", "a string"); err != nil {
		return nil, err
	}
	if err = checkText(g.TokenID, maxTokenID); err != nil {
		return nil, invalid("the token's jti claim %v", err)
	}
	if raw, ok := c.members["tidings"]; ok {
		err = g.read(raw)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// read fills in the tidings claim. Members it does not know are ignored, so that
// newer issuers work with older servers; wrong types are not.
func (g *Grant) read(raw json.RawMessage) error {
	m, err := members(raw)
	if err != nil {
		return invalid("the token's tidings claim %v", err)
	}
	if g.Notify, err = member[bool](m, "notify", "true or false"); err != nil {
		return err
	}
	if g.Admin, err = member[bool](m, "admin", "true or false"); err != nil {
		return err
	}
	for name, dst := range map[string]*[]subject.Pattern{"sub": &g.Sub, "pub": &g.Pub} {
		list, err := member[[]string](m, name, "a list of topic patterns")
		if err != nil {
			return err
		}
		if *dst, err = parsePatterns("tidings."+name, list); err != nil {
			return invalid("%v: correct it where the token is issued", err)
		}
	}
	return nil
}

// parsePatterns parses all of list or fails naming the first malformed one.
func parsePatterns(name string, list []string) ([]subject.Pattern, error) {
	if len(list) > MaxPatterns {
		return nil, fmt.Errorf("%s has %d patterns and at most %d are allowed", name, len(list), MaxPatterns)
	}
	var out []subject.Pattern
	for i, s := range list {
		p, err := subject.ParsePattern(s)
		if err != nil {
			return nil, fmt.Errorf("%s[%d] is malformed: %w", name, i, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// checkUser reports why id cannot be a user, as the end of a sentence.
func checkUser(id string) error {
	if id == "" {
		return errors.New("is missing or empty: it must name the user")
	}
	if err := checkText(id, MaxUserBytes); err != nil {
		return err
	}
	// Escaping triples some bytes, so a short id may still not fit into a topic.
	if _, err := subject.ParseTopic(string(subject.User(id))); err != nil {
		return errors.New("makes too long a topic once escaped: use a shorter user id")
	}
	return nil
}

// checkText reports why s is not plain text of at most limit bytes. The replacement
// character is refused too: it stands for bytes that were not text, and two
// different ids must never become one.
func checkText(s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("is longer than %d bytes", limit)
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) {
		return errors.New("is not valid UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("contains control characters")
	}
	return nil
}

// members splits a JSON object. Unlike encoding/json's structs it matches names
// exactly and refuses repeated ones: "SUB" must not be able to replace "sub".
func members(raw []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("must be a JSON object")
	}
	m := make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errors.New("must be a JSON object")
		}
		if _, twice := m[name]; twice {
			return nil, errors.New("must not name a member twice")
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, errors.New("must be a JSON object")
		}
		m[name] = v
	}
	return m, nil
}

// member decodes one member; an absent one is T's zero value. null is a wrong type
// like any other, since whoever wrote it meant something we cannot know.
func member[T any](m map[string]json.RawMessage, name, want string) (T, error) {
	var v T
	raw, ok := m[name]
	if !ok {
		return v, nil
	}
	if string(raw) == "null" || json.Unmarshal(raw, &v) != nil {
		var zero T
		return zero, invalid("the token's %s claim must be %s", name, want)
	}
	return v, nil
}
