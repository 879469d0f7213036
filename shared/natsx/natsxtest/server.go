package natsxtest

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// patience bounds the start of a server on a loaded machine.
const patience = 30 * time.Second

// Server is a NATS server in the test's process.
type Server struct {
	t    testing.TB
	opts *server.Options
	live *server.Server // nil while stopped
}

// Run starts a server on a free loopback port and stops it when the test ends.
// config is the text of a configuration file. JetStream is off unless it says
// jetstream: enabled; its directory is the test's.
func Run(t testing.TB, config string) *Server {
	t.Helper()
	s := &Server{t: t, opts: options(t, config)}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

func options(t testing.TB, config string) *server.Options {
	t.Helper()
	opts := &server.Options{}
	if err := opts.ProcessConfigString(config); err != nil {
		t.Fatalf("the configuration of NATS: %v", err)
	}
	opts.Host, opts.Port = "127.0.0.1", server.RANDOM_PORT
	opts.StoreDir = t.TempDir()
	opts.NoSigs, opts.NoLog = true, true
	return opts
}

// Start starts a stopped server again on the same store and port.
func (s *Server) Start() {
	s.t.Helper()
	s.begin()
	if !s.live.ReadyForConnections(patience) {
		s.t.Fatal("the NATS server did not start")
	}
	if addr, ok := s.live.Addr().(*net.TCPAddr); ok {
		s.opts.Port = addr.Port
	}
}

// begin starts the server without waiting for it.
func (s *Server) begin() {
	s.t.Helper()
	live, err := server.NewServer(s.opts)
	if err != nil {
		s.t.Fatalf("new NATS server: %v", err)
	}
	s.live = live
	live.Start()
}

// Stop shuts the server down and waits for it.
func (s *Server) Stop() {
	if s.live != nil {
		s.live.Shutdown()
		s.live.WaitForShutdown()
		s.live = nil
	}
}

// Reconfigure restarts the server with another configuration on the same store
// and port.
func (s *Server) Reconfigure(config string) {
	s.t.Helper()
	s.Stop()
	opts := options(s.t, config)
	opts.StoreDir, opts.Port = s.opts.StoreDir, s.opts.Port
	s.opts = opts
	s.Start()
}

// URL returns the server's address without credentials; With adds them.
func (s *Server) URL() string { return "nats://" + s.host() }

// With returns the server's address with credentials, such as "user:password".
func (s *Server) With(credentials string) string { return "nats://" + credentials + "@" + s.host() }

func (s *Server) host() string { return net.JoinHostPort(s.opts.Host, portText(s.opts.Port)) }

// MonitorURL returns the address of the monitoring port, which the configuration
// must have asked for with "http: 127.0.0.1:-1".
func (s *Server) MonitorURL() string {
	if addr := s.live.MonitorAddr(); addr != nil {
		return "http://" + addr.String()
	}
	return ""
}

// Attempts returns how many connections were tried since the server's start.
func (s *Server) Attempts() uint64 {
	s.t.Helper()
	v, err := s.live.Varz(nil)
	if err != nil {
		s.t.Fatalf("the figures of NATS: %v", err)
	}
	return v.TotalConnections
}
