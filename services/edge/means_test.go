package edge_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tidings/shared/event"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

// flood appends n numbered events to a topic without waiting for each.
func (n *node) flood(topic subject.Topic, count, size int) {
	n.t.Helper()
	pad := strings.Repeat("x", size)
	for i := range count {
		data := strconv.Itoa(i)
		if size > 0 {
			data = `"` + data + " " + pad + `"`
		}
		if _, err := n.conn.JS.PublishAsync("tidings.ev."+string(topic), []byte(data)); err != nil {
			n.t.Fatal(err)
		}
		if i%500 == 499 || i == count-1 {
			<-n.conn.JS.PublishAsyncComplete()
		}
	}
}

// same compares lists that may be long.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("%s: %d of %d differ from number %d on: got %.200q, want %.200q", what, len(got), len(want), i, got[min(i, len(got)):], want[min(i, len(want)):])
			return
		}
	}
}

// position is where the log ends.
func (n *node) position() string {
	n.t.Helper()
	x, err := n.log.Epoch(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return event.Cursor{Epoch: x.Epoch, Seq: x.Last}.String()
}

// abreast waits until the edge has taken all that the log holds.
func (n *node) abreast() {
	n.t.Helper()
	want, err := event.ParseCursor(n.position())
	if err != nil {
		n.t.Fatal(err)
	}
	testkit.Eventually(n.t, "the edge to have all of the log", func() bool {
		got, err := event.ParseCursor(n.poll("topics=user&wait=0").Cursor)
		return err == nil && got.Epoch == want.Epoch && got.Seq >= want.Seq
	})
}

// count is how many connections the edge says it has.
func (n *node) count() int { return int(n.metric("tidings_edge_connections")) }

// followed waits until the edge has taken so many events from the log.
func (n *node) followed(events int) {
	n.t.Helper()
	testkit.Eventually(n.t, "the edge to follow the log", func() bool {
		return int(n.metric("tidings_edge_followed_events_total")) >= events
	})
}

// metric is the value of a counter or gauge without labels.
func (n *node) metric(name string) float64 {
	n.t.Helper()
	families, err := n.reg.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() // it is one of them
		}
	}
	n.t.Fatalf("there is no metric %s", name)
	return 0
}

// gunzip makes the client of a stream unpack what net/http did not.
func (c *client) gunzip() {
	if c.resp.Header.Get("Content-Encoding") != "gzip" {
		return
	}
	z, err := gzip.NewReader(c.resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.lines = bufio.NewReader(z)
}

// deflated compresses a message as a browser does.
func deflated(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = io.WriteString(z, text)
	}
	if err == nil {
		err = z.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}
