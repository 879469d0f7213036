package httpx

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/shared/httpx/certs"
)

// Bounds of HTTP/2, which is spoken over TLS alone.
const (
	// streamsPerConn is how many requests a client may have open on one connection. A
	// browser shares one among all its tabs, and each tab holds a stream open; the
	// usual 100 would make the next one wait for ever.
	streamsPerConn = 1000
	// frameBytes bounds a frame that is read: the least the protocol allows, and what
	// clients send unless told otherwise. A larger one is only a larger buffer.
	frameBytes = 16 << 10
	// connBuffer and bodyBuffer bound what is taken of bodies before a handler reads
	// it, of a connection and of one request: a quarter of the largest body, so a
	// client 100 ms away still uploads 2.5 MB/s.
	connBuffer = 256 << 10
	bodyBuffer = 256 << 10
	// pingAfter is how long a client may be silent before it is asked whether it is
	// there, pingTime how long it may take to answer. A peer that is dead is found as
	// fast as TCP's keep-alive finds it; one whose program hangs is found too.
	pingAfter = keepAliveIdle
	pingTime  = 15 * time.Second
	// stuckTime is how long a connection may take nothing at all. The deadline of one
	// request cannot end it: what resets the request would have to be sent.
	stuckTime = 60 * time.Second
)

// crowdedRetry is when a client should come back that found every place taken.
const crowdedRetry = 5 * time.Second

// TLSConfig makes a Server speak TLS, 1.2 at least, and HTTP/2 with clients that can.
type TLSConfig struct {
	// CertFile and KeyFile are PEM files, as package certs takes them. They are read
	// again when they change.
	CertFile, KeyFile string
	// Every is how often they are looked at; 0 means certs.DefaultEvery.
	Every time.Duration
	// Registerer gets a gauge with the end of the certificate. Nil means none.
	Registerer prometheus.Registerer
}

// open reads the certificate.
func (c *TLSConfig) open(log *slog.Logger) (*certs.Pair, error) {
	pair, err := certs.Open(certs.Config{CertFile: c.CertFile, KeyFile: c.KeyFile, Every: c.Every, Log: log})
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return pair, nil
}

// useTLS makes s speak TLS with the pair.
func (s *Server) useTLS(pair *certs.Pair) {
	s.certs = pair
	s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.Certificate}
	s.http.Protocols.SetHTTP2(true)
	s.http.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:          streamsPerConn,
		MaxReadFrameSize:              frameBytes,
		MaxReceiveBufferPerConnection: connBuffer,
		MaxReceiveBufferPerStream:     bodyBuffer,
		SendPingTimeout:               pingAfter,
		PingTimeout:                   pingTime,
		WriteByteTimeout:              stuckTime,
	}
	s.http.Handler = crowd(s.cfg.Handler, s.cfg.MaxConns)
	if r := s.cfg.TLS.Registerer; r != nil {
		register(r, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_tls_certificate_expiry_timestamp_seconds",
			Help: "When the TLS certificate that is served ends, in seconds since 1970.",
		}, func() float64 { return float64(pair.NotAfter().Unix()) }))
	}
}

// crowd bounds the requests that HTTP/2 carries, on all connections together. Over
// HTTP/1.1 the bound of connections bounds requests too; with a thousand of them on
// each connection it does not.
func crowd(next http.Handler, most int) http.Handler {
	var here atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 {
			next.ServeHTTP(w, r)
			return
		}
		defer here.Add(-1)
		if here.Add(1) > int64(most) {
			refuseCrowd(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuseCrowd answers outside of an Echo, where there is no request id yet.
func refuseCrowd(w http.ResponseWriter) {
	p := NewProblem(http.StatusServiceUnavailable, CodeOverloaded, "This server has as many requests as it takes.").
		WithHint("Try again a little later.").WithRetryAfter(crowdedRetry)
	body, _ := p.MarshalJSON() // made of texts and numbers, it cannot fail
	p.setHeaders(w.Header(), len(body))
	w.WriteHeader(p.Status)
	// The client may be gone; there is nothing else to do about it.
	_, _ = w.Write(body)
}
