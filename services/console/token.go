package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/shared/auth"
	"tidings/shared/httpx"
	"tidings/shared/revoke"
)

// defaultTTL is how long a token from here lives unless said otherwise, maxTTL the
// longest: it is for trying something out.
const defaultTTL, maxTTL = 15 * time.Minute, time.Hour

// tokenBody is the body of POST token.
type tokenBody struct {
	User   string   `json:"user"`
	Sub    []string `json:"sub"`
	Pub    []string `json:"pub"`
	Notify bool     `json:"notify"`
	Admin  bool     `json:"admin"`
	// TTLS is in seconds.
	TTLS int `json:"ttl_s"`
}

// mintToken is POST token: a short-lived token, to try something out with. It can be
// revoked by its id.
func (c *Console) mintToken(ctx echo.Context) error {
	if c.cfg.Secret == "" {
		return httpx.NewProblem(http.StatusNotImplemented, "no_secret", "This process has no secret to sign tokens with.").
			WithHint("Tokens come from whoever has the keys; set TIDINGS_JWT_SECRET to mint them here.")
	}
	var body tokenBody
	if err := httpx.DecodeJSON(ctx.Request().Body, &body); err != nil {
		return err
	}
	ttl := time.Duration(body.TTLS) * time.Second
	switch {
	case body.TTLS < 0 || body.TTLS > int(maxTTL/time.Second):
		return httpx.Bad("ttl_s", "bad_ttl", "ttl_s must be 1 to 3600 seconds.")
	case body.TTLS == 0:
		ttl = defaultTTL
	}
	now := time.Now()
	claims := auth.Claims{
		User: body.User, Sub: body.Sub, Pub: body.Pub, Notify: body.Notify, Admin: body.Admin,
		TTL: ttl, ID: rand.Text(), Audience: c.cfg.Audience, Issuer: c.cfg.Issuer,
	}
	token, err := auth.Mint([]byte(c.cfg.Secret.Reveal()), claims, now)
	if err != nil { // what it says is about the claims
		return httpx.Bad("", "bad_claims", "No such token can be made: "+err.Error()+".")
	}
	c.audit(ctx, "mint", "user", claims.User, "sub", claims.Sub, "pub", claims.Pub, "notify", claims.Notify, "admin", claims.Admin,
		"ttl", ttl, "id", claims.ID)
	return ctx.JSON(http.StatusCreated, map[string]any{"token": token, "id": claims.ID, "expires": now.Add(ttl).UTC().Truncate(time.Second)})
}

// revoke is POST revoke: ends a user's connections, or a token's and the token itself,
// everywhere.
func (c *Console) revoke(ctx echo.Context) error {
	if c.cfg.Revocations == nil {
		return unavailable("revocations")
	}
	var body struct {
		User  string `json:"user"`
		Token string `json:"token"`
		// KeepS is how long a token is remembered, in seconds.
		KeepS int64 `json:"keep_s"`
	}
	if err := httpx.DecodeJSON(ctx.Request().Body, &body); err != nil {
		return err
	}
	if body.KeepS < 0 || body.KeepS > int64(revoke.MaxKeep/time.Second) {
		return httpx.Bad("keep_s", "bad_keep", "keep_s must be 1 to 2592000 seconds, 30 days.")
	}
	order := revoke.Order{User: body.User, Token: body.Token}
	if body.KeepS > 0 {
		until := time.Now().Add(time.Duration(body.KeepS) * time.Second)
		order.Until = &until
	}
	err := c.cfg.Revocations.Publish(ctx.Request().Context(), order)
	switch {
	case errors.Is(err, revoke.ErrOrder):
		return httpx.Bad("user", "bad_revocation", "Say either whose connections or which token's id to revoke.").WithCause(err)
	case err != nil:
		return problem(err)
	}
	c.audit(ctx, "revoke", "user", body.User, "token", body.Token)
	return ctx.JSON(http.StatusAccepted, map[string]bool{"revoked": true})
}
