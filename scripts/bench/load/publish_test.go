package load_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/scripts/bench/load"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/testkit"
)

func TestNATSPublisher(t *testing.T) {
	t.Parallel()
	log, conn := testkit.EventLog(t, testkit.Limits())
	p := load.NewNATSPublisher(conn, testkit.Space(t))
	for _, data := range []string{"1", "2"} {
		if err := p.Publish(t.Context(), "room.x", [][]byte{[]byte(data), []byte(data + "0")}); err != nil {
			t.Fatal(err)
		}
	}
	acks := p.Settle(t.Context())
	if acks.Failed != 0 || acks.FailedBy != nil {
		t.Fatalf("got %+v", acks)
	}
	page, err := log.Range(t.Context(), stream.Query{Pattern: "room.x"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, e := range page.Entries {
		got = append(got, string(e.Event.Data))
		if acks.Seqs[i] != e.Seq {
			t.Errorf("the log has event %d at %d, the acknowledgements are %d", i, e.Seq, acks.Seqs)
		}
	}
	if strings.Join(got, " ") != "1 10 2 20" {
		t.Errorf("the log holds %q", got)
	}
	if err := conn.JS.DeleteStream(t.Context(), testkit.Space(t).Stream(stream.Name)); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), "room.x", [][]byte{[]byte("3")}); err != nil {
		t.Fatal(err)
	}
	if acks := p.Settle(t.Context()); acks.Failed != 1 || acks.FailedBy == nil || !slices.Equal(acks.Seqs, []uint64{0}) {
		t.Errorf("without a log: %+v", acks)
	}
}

func TestHTTPPublisher(t *testing.T) {
	t.Parallel()
	status, answer := http.StatusOK, `{"results":[{"seq":7,"cursor":"E-7","duplicate":false},{"seq":9,"cursor":"E-9","duplicate":false}]}`
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	p := load.NewHTTPPublisher(s.URL, "tok")
	if err := p.Publish(t.Context(), "room.x", [][]byte{[]byte(`"a"`), []byte("2")}); err != nil {
		t.Fatal(err)
	}
	if want := `POST /v1/events Bearer tok [{"topic":"room.x","data":"a"},{"topic":"room.x","data":2}]`; len(got) != 1 || got[0] != want {
		t.Errorf("sent %q", got)
	}
	for _, want := range [][]uint64{{7, 9}, nil} {
		if acks := p.Settle(t.Context()); acks.Failed != 0 || !slices.Equal(acks.Seqs, want) {
			t.Errorf("got %+v, want %d", acks, want)
		}
	}
	if err := p.Publish(t.Context(), "room.x", [][]byte{[]byte("1")}); err == nil || !strings.Contains(err.Error(), "2 answers to 1") {
		t.Errorf("a wrong answer is %v", err)
	}
	status, answer = http.StatusServiceUnavailable, "why"
	if err := p.Publish(t.Context(), "room.x", [][]byte{[]byte("1")}); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "why") {
		t.Errorf("a refusal is %v", err)
	}
}

// TestPace checks the schedule and what goes where.
func TestPace(t *testing.T) {
	t.Parallel()
	f, err := load.New(load.Config{Conns: 3, Rooms: 3, Capacity: 100, RoomsOf: func(i int) []int { return []int{2, i % 2} }})
	if err != nil {
		t.Fatal(err)
	}
	var batches []int
	to := publisher(func(_ subject.Topic, data [][]byte) {
		batches = append(batches, len(data))
		for _, d := range data {
			if !json.Valid(d) || len(d) != 100 {
				t.Errorf("data %q", d)
			}
		}
	})
	began := time.Now()
	sent, err := f.Publish(t.Context(), to, load.Pace{Events: 10, Rate: 100, Burst: 4, Rooms: []int{0, 2}, Size: 100})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 80*time.Millisecond {
		t.Errorf("the third burst was due after 80 ms, everything took %v", took)
	}
	if len(batches) != 3 || batches[2] != 2 || sent.Events != 10 || sent.Rooms[0] != 6 || sent.Rooms[2] != 4 || sent.Late.Count() != 3 {
		t.Errorf("sent %+v in %v", sent, batches)
	}
	// Room 0 has subscribers 0 and 2, room 2 all three.
	if n := f.Expected(sent); n != 6*2+4*3 {
		t.Errorf("expected %d", n)
	}
}
