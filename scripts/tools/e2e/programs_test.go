package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	// longest is the most a line of a stream may take here, in bytes: several times
	// the largest sample.
	longest = 1 << 20
	// dying is how long a program that was killed may take to be gone.
	dying = 5 * time.Second
)

// TestCompressedCurl reads streams with curl, in both ways that the edge writes them:
// HTTP/1.1 in chunks by a shard, and HTTP/1.0, whose body ends with the connection,
// by a handler. curl fails on what does not decode, a wrong checksum included.
func TestCompressedCurl(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.1", "1.0"} {
		t.Run("HTTP "+version, func(t *testing.T) {
			t.Parallel()
			testProgram(t, "200 gzip\n", func(url, token string) *exec.Cmd {
				return exec.Command(need(t, "curl"), "-sSN", "--compressed", "--noproxy", "*", "--http"+version,
					"-H", "Authorization: Bearer "+token, "-w", "%{stderr}%{http_code} %header{content-encoding}\n", url)
			})
		})
	}
}

// nodeScript reads a stream as a page without an EventSource would. Node's fetch
// fails on a stream whose checksum is wrong, and the decoder on broken UTF-8.
const nodeScript = `
const [url, token] = process.argv.slice(1);
const response = await fetch(url, { headers: { Authorization: "Bearer " + token } });
console.error(response.status, response.headers.get("content-encoding"));
const reader = response.body.getReader();
const decoder = new TextDecoder("utf-8", { fatal: true });
for (;;) {
  const { done, value } = await reader.read();
  process.stdout.write(decoder.decode(value, { stream: !done }));
  if (done) break;
}`

// TestCompressedNode reads a stream with Node's fetch and a reader.
func TestCompressedNode(t *testing.T) {
	t.Parallel()
	testProgram(t, "200 gzip\n", func(url, token string) *exec.Cmd {
		return exec.Command(need(t, "node"), "--input-type=module", "-e", nodeScript, url, token)
	})
}

// need finds a program that a test can't do without.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("there is no %s, and this test needs one: install it (%v)", name, err)
	}
	return path
}

// testProgram lets a program read a stream, which it writes decoded to its standard
// output, and compares what it says on its standard error.
func testProgram(t *testing.T, says string, command func(url, token string) *exec.Cmd) {
	t.Helper()
	const stream = "the stream"
	a := newAudience(t, stream)
	wire := newTap(t)
	tidings := begin(t)
	wire.connect(tidings)
	cmd := command(wire.url+"/v1/events?topics="+sampled, tidings.token())
	said := &transcript{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := a.listen(stream, out)
		if err != nil {
			_ = cmd.Process.Kill() // it would wait for a reader
		}
		end := heard{Stream: stream, Type: ended}
		if err := errors.Join(err, cmd.Wait()); err != nil {
			end.Data = err.Error() + "\n" + said.String()
		}
		_ = a.tell(end) // a test that ended early hears nothing any more
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails if it has ended, as it should have
		select {
		case <-done:
		case <-time.After(dying):
			t.Errorf("%s did not end", cmd.Path)
		}
	})
	a.attend(tidings)
	if said := said.String(); said != says {
		t.Errorf("it says %q, want %q", said, says)
	}
	wire.judge(1)
}

// listen tells the audience of the events in a decoded stream. It returns when the
// stream ends, with an error if that is inside of an event.
func (a *audience) listen(stream string, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longest)
	h := heard{Stream: stream}
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			h.ID = value
		case "event":
			h.Type = value
		case "data":
			h.Data = value
		case "retry":
		case "":
			if h.Type != "" {
				if err := a.tell(h); err != nil {
					return err
				}
			}
			h = heard{Stream: stream}
		default:
			return fmt.Errorf("a line that is none of a stream: %.100q", lines.Text())
		}
	}
	if h != (heard{Stream: stream}) {
		return errors.New("it ends inside of an event")
	}
	return lines.Err()
}
