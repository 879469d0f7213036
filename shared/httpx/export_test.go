package httpx

import "time"

// What follows shortens, for tests, times that are constants to everybody else. The
// ones of a Server are for before Run.

// WithBodyTime returns the config with another time for a body to arrive.
func (c EchoConfig) WithBodyTime(d time.Duration) EchoConfig {
	c.bodyTime = d
	return c
}

// ShortenHeader changes how long a head or a handshake may take.
func (s *Server) ShortenHeader(d time.Duration) { shorten(&s.http.ReadHeaderTimeout, d) }

// ShortenAnswer changes how long an answer may take.
func (s *Server) ShortenAnswer(d time.Duration) { shorten(&s.http.WriteTimeout, d) }

// ShortenStuck changes how long a connection with HTTP/2 may take nothing.
func (s *Server) ShortenStuck(d time.Duration) { shorten(&s.http.HTTP2.WriteByteTimeout, d) }

// shorten makes sure that a test of a bound tests one that there is.
func shorten(bound *time.Duration, d time.Duration) {
	if *bound <= d {
		panic("there is no bound to shorten")
	}
	*bound = d
}
