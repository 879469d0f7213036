// Package certs keeps the certificate of a TLS server fresh: it reads a pair of PEM
// files and reads them again when they change, so that a renewal needs no restart
// and cuts no stream.
//
//	p, err := certs.Open(certs.Config{CertFile: "tls.crt", KeyFile: "tls.key", Log: log})
//	config := &tls.Config{GetCertificate: p.Certificate}
//	…
//	p.Run(ctx)
//
// The files are looked at every few seconds rather than watched: what is watched is
// a directory entry, and renewals replace files by a rename, Kubernetes by changing a
// link two directories up. A pair that cannot be used, because it is half written or
// its halves do not belong together, changes nothing: the certificate in use stays
// until the files are good again.
//
// # Concurrency
//
// The package starts no goroutines; whoever calls Run owns the one that looks at the
// files. Certificate and NotAfter may be called from any goroutine, at any time.
package certs
