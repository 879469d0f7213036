package people

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"tidings/shared/httpx"
	"tidings/shared/subject"
)

const (
	// MaxPage bounds a page of List.
	MaxPage = atOnce
	// MaxMembers bounds what Members lists: it is held in memory.
	MaxMembers = 100_000
)

// Page is some of the people.
type Page struct {
	// Records are in the order in which they were last changed. Of one that cannot be read
	// only the user is there.
	Records []Record
	// Next is the "after" of the next page, "" if this is the last.
	Next string
}

// List returns a page of all people. after is the Next of the page before, "" for the
// first; limit is cut to MaxPage. Whoever is changed while somebody reads page by page is
// moved to the end and so may come twice, but nobody is left out. Errors are an
// *httpx.Problem about after, or wrap those of natsx.
func (p *People) List(ctx context.Context, after string, limit int) (Page, error) {
	var from uint64
	if after != "" {
		seq, err := strconv.ParseUint(after, 10, 63)
		if err != nil {
			return Page{}, httpx.Bad("after", "bad_after", "after must be the next of another page.").WithCause(err)
		}
		from = seq + 1
	}
	entries, more, err := p.people.page(ctx, "p.*", from, max(limit, 1))
	if err != nil {
		return Page{}, err
	}
	page := Page{Records: make([]Record, 0, len(entries))}
	for _, e := range entries {
		if more {
			page.Next = strconv.FormatUint(e.rev, 10)
		}
		if e.value == nil {
			continue
		}
		r, err := decodeRecord(e)
		if err != nil {
			r = Record{}
			if r.User, err = subject.Unescape(strings.TrimPrefix(e.key, "p.")); err != nil {
				continue // nobody's
			}
		}
		page.Records = append(page.Records, r)
	}
	return page, nil
}

// Members returns up to limit users, MaxMembers at most, who are members of a room, those
// first who joined first, and whether there are more. Errors wrap those of natsx.
func (p *People) Members(ctx context.Context, topic subject.Topic, limit int) (users []string, more bool, err error) {
	limit = max(0, min(limit, MaxMembers))
	pattern := "m." + subject.Escape(string(topic)) + ".*"
	for from := uint64(0); ; {
		// One beyond the limit tells whether there are more.
		entries, rest, err := p.people.page(ctx, pattern, from, limit-len(users)+1)
		if err != nil {
			return nil, false, err
		}
		page, err := p.confirm(ctx, topic, entries)
		if err != nil {
			return nil, false, err
		}
		if users = append(users, page...); len(users) > limit {
			return users[:limit], true, nil
		}
		if !rest || len(entries) == 0 {
			return users, false, nil
		}
		from = entries[len(entries)-1].rev + 1
	}
}

// confirm returns the users of some markers whose records say the same.
func (p *People) confirm(ctx context.Context, topic subject.Topic, markers []entry) ([]string, error) {
	users := make([]string, 0, len(markers))
	for _, e := range markers {
		if user, err := subject.Unescape(e.key[strings.LastIndexByte(e.key, '.')+1:]); err == nil && e.value != nil {
			users = append(users, user)
		}
	}
	records, err := p.Many(ctx, users)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return nil, err
	}
	return slices.DeleteFunc(users, func(user string) bool {
		return !slices.Contains(records[user].Topics, topic)
	}), nil
}
