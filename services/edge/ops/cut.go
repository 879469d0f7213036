package ops

import (
	"context"

	"tidings/services/edge/connection"
	"tidings/services/edge/wire"
)

// CutQuestion wants connections to end: one of them, or all of a user.
type CutQuestion struct {
	Conn string `json:"conn"`
	User string `json:"user"`
	// Return says whether the clients are to come back, which they are unless told
	// otherwise.
	Return *bool `json:"return"`
}

// CutAnswer says how many connections were told to end.
type CutAnswer struct {
	Cut int `json:"cut"`
}

// Cut ends connections. When it returns their owners know; the last words are on
// their way.
func (d *Desk) Cut(ctx context.Context, q CutQuestion) (CutAnswer, error) {
	if (q.Conn == "") == (q.User == "") {
		return CutAnswer{}, bad("say either conn or user")
	}
	if q.Conn != "" {
		tag, ok := connection.TagOf(q.Conn)
		switch {
		case !ok:
			return CutAnswer{}, bad("conn is no connection")
		case tag != d.host.Tag():
			return CutAnswer{}, nil // it is another edge's, or nobody's
		}
	}
	if len(q.User) > maxName {
		return CutAnswer{}, bad("user is too long")
	}
	bye := wire.Cut
	if q.Return != nil && !*q.Return {
		bye = wire.CutOff
	}
	n, err := d.dismiss(ctx, filter{user: q.User, conn: q.Conn}, bye)
	return CutAnswer{n}, err
}

// Revoke ends all connections that a user has now, or those with a token's id, and
// returns how many. Connections on their way here end when they arrive.
func (d *Desk) Revoke(ctx context.Context, user, token string) (int, error) {
	hash := connection.TokenHash(token)
	if user == "" && hash == 0 {
		return 0, nil
	}
	d.host.Bar(user, hash)
	n := 0
	if user != "" {
		cut, err := d.dismiss(ctx, filter{user: user}, wire.Revoked)
		if err != nil {
			return n, err
		}
		n += cut
	}
	if hash != 0 {
		cut, err := d.dismiss(ctx, filter{token: hash}, wire.Revoked)
		if err != nil {
			return n, err
		}
		n += cut
	}
	return n, nil
}

// dismiss ends the connections that are selected.
func (d *Desk) dismiss(ctx context.Context, f filter, bye wire.Bye) (int, error) {
	var list []connection.Member
	if err := d.look(ctx, func(v *connection.Sight) {
		if f.fits(v) {
			list = append(list, v.Member)
		}
	}); err != nil {
		return 0, err
	}
	for _, m := range list {
		m.Dismiss(bye)
	}
	return len(list), nil
}
