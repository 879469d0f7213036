package console

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"tidings/shared/auth"
	"tidings/shared/mesh"
	"tidings/shared/natsx"
	"tidings/shared/revoke"
	"tidings/shared/subject"
	"tidings/shared/telemetry"
	"tidings/shared/template"
	"tidings/shared/worker"
)

const (
	// indexName is the page among the embedded files.
	indexName = "index.html"
	// assetsPath is below what the other embedded files are served. The bundler
	// writes it into the page.
	assetsPath = "/console/assets/"
	// apiPath is below what the API is served.
	apiPath = "/console/api"
	// policy is what the page may do. uPlot places its canvas through the CSS object
	// model, which style-src 'self' allows; style attributes in markup it would not.
	policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
		"img-src 'self' data:; font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// dist is what the bundler made.
//
//go:embed dist
var dist embed.FS

// Config says what the page tells about where it is served. The zero value works.
type Config struct {
	// Version is the version of this build, for people; it may be empty.
	Version string
	// Node names this process, for people; it may be empty.
	Node string
	// Prefix is the first token of every NATS subject, as subject.NewSpace takes it.
	// Empty means subject.DefaultPrefix. The page writes it into commands to copy.
	Prefix string
	// Dev says that this is `tidings dev`, and makes the page say so.
	Dev bool
	// Mesh is what operators look at and Run joins; nil leaves all of it out.
	Mesh *mesh.Mesh
	// Streams reads the streams, such as (*natsx.Conn).Details; nil leaves them out.
	Streams func(context.Context) ([]natsx.StreamDetails, error)
	// Revocations takes tokens and users out; nil leaves that out.
	Revocations *revoke.List
	// Queue holds the dead letters; nil leaves them out.
	Queue *worker.Queue
	// Templates returns the templates of notifications; nil leaves them out.
	Templates func() *template.Set
	// Secret is the HS256 secret with which tokens are minted, empty if there is none;
	// Audience and Issuer are written into them if not empty.
	Secret           telemetry.Secret
	Audience, Issuer string
}

// Console holds the page and answers for it. It is safe for concurrent use.
type Console struct {
	cfg    Config
	asked  atomic.Uint64 // requests to the API
	auth   *auth.Authenticator
	log    *slog.Logger
	pass   pass
	index  *asset
	assets map[string]*asset
}

// New reads the embedded page and compresses it once. It fails on a prefix that is
// none and when the page is not complete, which only a broken build can cause.
// log may be nil.
func New(cfg Config, authenticator *auth.Authenticator, log *slog.Logger) (*Console, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = subject.DefaultPrefix
	}
	if _, err := subject.NewSpace(cfg.Prefix); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Console{cfg: cfg, auth: authenticator, log: log, pass: newPass(cfg.Secret), assets: map[string]*asset{}}
	entries, err := fs.ReadDir(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("console: embedded page: %w", err)
	}
	for _, e := range entries {
		a, err := loadAsset(dist, "dist/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("console: embedded page: %w", err)
		}
		c.assets[e.Name()] = a
	}
	c.index = c.assets[indexName]
	delete(c.assets, indexName)
	if c.index == nil {
		return nil, fmt.Errorf("console: embedded page: %s: %w", indexName, fs.ErrNotExist)
	}
	return c, nil
}

// Routes adds the page, its assets and its API to e, which httpx.NewEcho made.
// Everything else keeps being answered by e's own 404.
func (c *Console) Routes(e *echo.Echo) {
	both := []string{http.MethodGet, http.MethodHead}
	e.Match(both, "/", c.serveIndex)
	e.Match(both, assetsPath+":name", c.serveAsset)
	c.api(e)
	c.log.Debug("console ready", "assets", len(c.assets))
}

// serveIndex answers with the page. Browsers ask each time whether it changed,
// since it names the assets that go with it.
func (c *Console) serveIndex(ctx echo.Context) error {
	return c.index.serve(ctx, "no-cache")
}

// serveAsset answers with one embedded file.
func (c *Console) serveAsset(ctx echo.Context) error {
	a, ok := c.assets[ctx.Param("name")]
	if !ok {
		return echo.ErrNotFound
	}
	if ctx.QueryParam("v") == a.hash || a.chunk() {
		return a.serve(ctx, "public, max-age=31536000, immutable")
	}
	return a.serve(ctx, "no-cache")
}
