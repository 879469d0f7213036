package mta_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// front is a server that speaks STARTTLS and hands everything after it to a mail server.
// Nothing gets there in the clear.
type front struct {
	t         *testing.T
	listener  net.Listener
	behind    string
	config    *tls.Config
	authority string // a PEM file with the authority of its certificate
	encrypted atomic.Int64
	done      sync.WaitGroup
}

func newFront(t *testing.T, behind string) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{t: t, listener: l, behind: behind, authority: filepath.Join(t.TempDir(), "authority.pem")}
	f.certify()
	f.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it was closed
			}
			f.done.Go(func() { f.serve(conn) })
		}
	})
	// Clean-ups run last in, first out: whoever is connected has left by then.
	t.Cleanup(func() {
		_ = l.Close()
		f.done.Wait()
	})
	return f
}

// url is the provider's for the mailer.
func (f *front) url() string { return "smtp://" + f.listener.Addr().String() }

// certify makes a certificate for this machine, which is its own authority.
func (f *front) certify() {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx." + mailDomain}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	if err := os.WriteFile(f.authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// serve leads one connection through. Errors end it, and the client tells of them.
func (f *front) serve(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", f.behind)
	if err != nil {
		f.t.Errorf("the mail server is away: %v", err)
		return
	}
	defer server.Close()
	greeting, err := readLine(server)
	if err != nil {
		f.t.Errorf("the mail server does not greet: %v", err)
		return
	}
	if _, err := io.WriteString(conn, greeting); err != nil || untilTLS(conn) != nil {
		return
	}
	encrypted := tls.Server(conn, f.config)
	if encrypted.Handshake() != nil {
		return
	}
	f.encrypted.Add(1)
	f.done.Go(func() {
		_, _ = io.Copy(server, encrypted)
		_ = server.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(encrypted, server)
}

// readLine reads a line and not a byte more.
func readLine(r io.Reader) (string, error) {
	var line strings.Builder
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, one); err != nil {
			return "", err
		}
		line.WriteByte(one[0])
		if one[0] == '\n' {
			return line.String(), nil
		}
	}
}

var errEarly = errors.New("the client said more before it was encrypted")

// untilTLS talks until the client wants to encrypt. It takes no mail before.
func untilTLS(conn net.Conn) error {
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		answer := "530 5.7.0 Must issue a STARTTLS command first\r\n"
		word, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch word {
		case "EHLO":
			answer = "250-mx." + mailDomain + "\r\n250 STARTTLS\r\n"
		case "STARTTLS":
			answer = "220 2.0.0 Go on\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return err
		}
		if word == "STARTTLS" {
			if r.Buffered() > 0 {
				return errEarly
			}
			return nil
		}
	}
}
