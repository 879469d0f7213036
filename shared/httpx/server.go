package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"tidings/shared/httpx/certs"
)

// Bounds of a Server; those of HTTP/2 are in tls.go. Bodies have a deadline of their
// own, see NewEcho, and so have streams, which last for hours, see StreamWriter.
const (
	// DefaultGrace is how long Run waits for requests when it is told to stop.
	// Orchestrators kill after 30 s; the rest of the process needs its share.
	DefaultGrace = 10 * time.Second
	// DefaultMaxConns bounds open connections, hijacked ones included. It is above
	// the edge's own default of 20,000 streams, so that the edge, which can tell
	// clients to come back, refuses first.
	DefaultMaxConns = 25_000
	// headerTime is how long a request's head may take to arrive, and a TLS handshake.
	// A client that drips it (slow loris) holds a connection for no longer.
	headerTime = 5 * time.Second
	// answerTime is how long an answer may take from the request's head on, unless its
	// handler moves the write deadline, as streams do. It is for clients that ask and
	// then do not read, which would hold a handler for ever.
	answerTime = 2 * time.Minute
	// idleTime is how long a connection may wait for its next request: longer than
	// the 60 s for which common proxies keep theirs, so that the proxy closes first
	// and never sends a request into a closing connection.
	idleTime = 120 * time.Second
	// maxHeader bounds a request's head in bytes. Tokens are the largest thing in it,
	// at most 16 KiB.
	maxHeader = 32 << 10
	// lastWords is how long handlers have after the grace, when their contexts have
	// ended, to say goodbye before the connections are cut.
	lastWords = 500 * time.Millisecond
	// keepAliveIdle, keepAliveInterval and keepAliveCount find dead peers within 45
	// to 60 s, before middleboxes forget the connection.
	keepAliveIdle     = 30 * time.Second
	keepAliveInterval = 10 * time.Second
	keepAliveCount    = 3
)

// ErrForced says that Run had to cut connections when the grace was over.
var ErrForced = errors.New("requests were still running when the grace was over")

// ServerConfig is what Listen needs.
type ServerConfig struct {
	// Addr is the TCP address to listen on. ":0" picks a free port; see Server.Addr.
	Addr string
	// Handler answers the requests.
	Handler http.Handler
	// Log gets what net/http has to say (debug) and when connections run out (warn).
	// Nil means none.
	Log *slog.Logger
	// Grace is how long a stop waits for requests; 0 means DefaultGrace.
	Grace time.Duration
	// MaxConns bounds open connections, and the requests of HTTP/2 on all of them
	// together; 0 means DefaultMaxConns.
	MaxConns int
	// TLS makes the server speak TLS and, with clients that can, HTTP/2. Nil means
	// plain HTTP/1.1.
	TLS *TLSConfig
	// OnShutdown, if set, is called once when a stop begins, at the same time as
	// idle connections are closed. It is for telling streams to leave; its context
	// ends with the grace, and Run waits for it.
	OnShutdown func(ctx context.Context)
}

// Server serves HTTP on one listener: HTTP/1.1, and over TLS HTTP/2 as well. Make it
// with Listen.
type Server struct {
	cfg      ServerConfig
	listener *limiter
	http     *http.Server
	certs    *certs.Pair // nil without TLS

	// endBase ends the context from which those of requests derive. That happens not
	// with Run's context but after the grace, so that requests can finish.
	endBase context.CancelCauseFunc
}

// Listen opens the listener, so that the address is known and its faults are found
// before anything runs. It fails when the address is bad or taken, or when the files
// of TLS are not a certificate and its key. Call Run to serve, or Close to give the
// listener up.
func Listen(cfg ServerConfig) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Grace <= 0 {
		cfg.Grace = DefaultGrace
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	var pair *certs.Pair
	if cfg.TLS != nil {
		var err error
		if pair, err = cfg.TLS.open(cfg.Log); err != nil {
			return nil, err
		}
	}
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
	}}
	l, err := lc.Listen(context.Background(), "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listen on %s: not TCP but %T", cfg.Addr, l), l.Close())
	}
	base, endBase := context.WithCancelCause(context.Background())
	s := &Server{cfg: cfg, listener: newLimiter(tcp, cfg.MaxConns, cfg.Log), endBase: endBase}
	s.http = &http.Server{
		Handler:           cfg.Handler,
		Protocols:         &http.Protocols{},
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	s.http.Protocols.SetHTTP1(true)
	if pair != nil {
		s.useTLS(pair)
	}
	return s, nil
}

// Addr returns the address that is listened on, with the real port.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Connections returns how many connections are open now, hijacked ones included.
func (s *Server) Connections() int { return int(s.listener.open.Load()) }

// Run serves until ctx ends and then stops: it accepts no more, closes idle
// connections, calls OnShutdown and waits up to Grace for requests. Then it ends
// the contexts of those that remain and, half a second later, cuts them. It returns
// nil if nothing had to be cut, ErrForced if something had, and at once if serving
// fails. Hijacked connections are not waited for. Call it once.
func (s *Server) Run(ctx context.Context) error {
	defer s.endBase(errShutdown)
	if s.certs != nil {
		stopCerts := s.keepCerts(ctx)
		defer stopCerts()
	}
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve: %w", err), s.Close())
	case <-ctx.Done():
	}
	err := s.stop(context.WithoutCancel(ctx))
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		return errors.Join(err, fmt.Errorf("serve: %w", end))
	}
	return err
}

// keepCerts keeps the certificate fresh until ctx ends or stop is called, which waits.
func (s *Server) keepCerts(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.certs.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

// serve accepts until the listener closes.
func (s *Server) serve() error {
	if s.certs != nil {
		return s.http.ServeTLS(s.listener, "", "")
	}
	return s.http.Serve(s.listener)
}

// stop is the second half of Run.
func (s *Server) stop(ctx context.Context) error {
	grace, cancel := context.WithTimeout(ctx, s.cfg.Grace)
	defer cancel()
	told := make(chan struct{})
	go func() {
		defer close(told)
		if s.cfg.OnShutdown != nil {
			s.cfg.OnShutdown(grace)
		}
	}()
	err := s.http.Shutdown(grace)
	<-told
	if err == nil {
		return nil
	}
	s.endBase(errShutdown)
	last, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	if s.http.Shutdown(last) == nil {
		return nil
	}
	if err := s.Close(); err != nil {
		return errors.Join(ErrForced, err)
	}
	return ErrForced
}

// Close stops at once: it closes the listener and cuts every connection that is
// not hijacked. It makes a Server of which Run was never called let go of its
// address. Closing twice is fine.
func (s *Server) Close() error {
	s.endBase(errShutdown)
	if err := errors.Join(s.http.Close(), s.listener.Close()); err != nil {
		return fmt.Errorf("close server: %w", err)
	}
	return nil
}
