package natsx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// readyWait bounds the start of an embedded server: recovering a large store
	// from a slow disk is what takes long.
	readyWait = 30 * time.Second
	// maxPayload is NATS's own default, stated because event.MaxData is cut to it.
	maxPayload = 1 << 20
)

// Server is a NATS server inside this process.
type Server struct {
	opts *server.Options

	mu     sync.Mutex
	live   *server.Server // nil while stopped
	unlock func()         // gives the data directory back; set while live is
}

// startServer starts a server as cfg says and waits until it serves.
func startServer(cfg Config) (*Server, error) {
	if cfg.Dir == "" {
		return nil, errors.New("a data directory is needed")
	}
	opts := &server.Options{
		ServerName: cfg.Name,
		JetStream:  true,
		StoreDir:   cfg.Dir,
		DontListen: true,
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: maxPayload,
	}
	if cfg.Listen != "" {
		host, port, err := net.SplitHostPort(cfg.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen address: %w", err)
		}
		if opts.Port, err = strconv.Atoi(port); err != nil || opts.Port < 0 {
			return nil, fmt.Errorf("listen address %q: the port is not a number", cfg.Listen)
		}
		if opts.Port == 0 {
			opts.Port = server.RANDOM_PORT
		}
		opts.Host, opts.DontListen = host, false
		if opts.Port > 0 {
			// The server logs a taken port and exits its accept loop; asking first turns
			// that into an error somebody sees.
			l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", cfg.Listen)
			if err != nil {
				return nil, fmt.Errorf("listen: %w", err)
			}
			if err := l.Close(); err != nil {
				return nil, fmt.Errorf("listen: %w", err)
			}
		}
	}
	s := &Server{opts: opts}
	return s, s.Start()
}

// Start starts a stopped server again on the same store and port.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != nil {
		return nil
	}
	unlock, err := lockDir(s.opts.StoreDir)
	if err != nil {
		return err
	}
	live, err := launch(s.opts)
	if err != nil {
		unlock()
		return err
	}
	if addr, ok := live.Addr().(*net.TCPAddr); ok {
		s.opts.Port = addr.Port // a restart must come back where clients look for it
	}
	s.live, s.unlock = live, unlock
	return nil
}

// launch starts a server and waits until it serves with JetStream.
func launch(opts *server.Options) (*server.Server, error) {
	live, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("new server: %w", err)
	}
	live.Start()
	switch {
	case !live.ReadyForConnections(readyWait):
		err = fmt.Errorf("not ready after %v", readyWait)
	case !live.JetStreamEnabled():
		err = fmt.Errorf("JetStream did not start in %s", opts.StoreDir)
	default:
		return live, nil
	}
	live.Shutdown()
	live.WaitForShutdown()
	return nil, err
}

// Stop shuts the server down and waits for it. Its Conn reconnects when Start
// is called.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		return
	}
	s.live.Shutdown()
	s.live.WaitForShutdown()
	s.live = nil
	s.unlock()
}

// InProcessConn gives nats.go a connection through memory. It fails while the
// server is stopped, which nats.go treats as a server that is away.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		return nil, errors.New("the embedded server is stopped")
	}
	return s.live.InProcessConn()
}

// ClientURL returns the URL other programs reach the server at, or "" when it
// does not listen.
func (s *Server) ClientURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil || s.opts.DontListen {
		return ""
	}
	return s.live.ClientURL()
}

// varz returns the server's own figures.
func (s *Server) varz() (*server.Varz, error) {
	s.mu.Lock()
	live := s.live
	s.mu.Unlock()
	if live == nil {
		return nil, ErrAway
	}
	return live.Varz(&server.VarzOptions{})
}
