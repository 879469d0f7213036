package wire_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"tidings/scripts/bench/wire"
)

// pair returns both ends of a connection.
func pair(t *testing.T, d wire.Dialer) (client *net.TCPConn, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = d.Dial(t.Context(), l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestRunReadsUntilTheEnd(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]wire.Dialer{"wide": {}, "narrow": {Segment: 1400, Window: 8 << 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := pair(t, d)
			sent := bytes.Repeat([]byte("0123456789"), 50_000)
			wrote := make(chan error, 1)
			go func() {
				_, err := server.Write(sent)
				server.Close()
				wrote <- err
			}()
			var got []byte
			err := wire.NewPump().Run(client, func(b []byte) error { got = append(got, b...); return nil })
			if werr := <-wrote; werr != nil || !errors.Is(err, io.EOF) || !bytes.Equal(got, sent) {
				t.Errorf("read %d of %d bytes, %v, %v", len(got), len(sent), err, werr)
			}
		})
	}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	errEnough := errors.New("enough")
	client, server := pair(t, wire.Dialer{})
	if _, err := server.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := wire.NewPump().Run(client, func([]byte) error { return errEnough }); !errors.Is(err, errEnough) {
		t.Errorf("got %v", err)
	}
	client, server = pair(t, wire.Dialer{})
	ended, read := make(chan error, 1), make(chan struct{}, 1)
	go func() {
		ended <- wire.NewPump().Run(client, func([]byte) error { read <- struct{}{}; return nil })
	}()
	if _, err := server.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	<-read // it waits for more now, or will soon
	client.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed here, got %v", err)
	}
}

func TestDialFails(t *testing.T) {
	t.Parallel()
	if _, err := (wire.Dialer{}).Dial(t.Context(), "127.0.0.1:1"); err == nil {
		t.Error("somebody listens on port 1")
	}
}
