package producer_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"tidings/services/producer"
)

// TestBodiesOfUnknownLength sends chunked bodies, whose end nobody announced.
func TestBodiesOfUnknownLength(t *testing.T) {
	t.Parallel()
	const start = `{"topic":"all","data":"`
	space := func(n int) io.Reader { return io.LimitReader(spaces{}, int64(n)) }
	for _, tc := range []struct {
		name, path string
		body       io.Reader
		status     int
		code       string
	}{
		{"whole", "/v1/events", strings.NewReader(start + `"}`), 201, ""},
		{"broken off", "/v1/events", io.MultiReader(strings.NewReader(start), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, "body_unreadable"},
		{"too slow", "/v1/events", io.MultiReader(strings.NewReader(start), iotest.ErrReader(os.ErrDeadlineExceeded)), 408, "body_timeout"},
		{"too long", "/v1/events", space(producer.MaxBody + 1), 413, "body_too_large"},
		{"too long for a hook", "/v1/hooks/git", space(producer.MaxHookBody + 1), 413, "body_too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := hooks(t)
			req := httptest.NewRequest(http.MethodPost, tc.path, io.NopCloser(tc.body))
			req.ContentLength = -1
			req.Header.Set("Authorization", "Bearer "+token(t, "svc", "all"))
			rec := httptest.NewRecorder()
			r.echo.ServeHTTP(rec, req)
			if got := decode[refusal](t, rec); rec.Code != tc.status || got.Code != tc.code {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if held := r.held(); len(held) != 0 && tc.status != http.StatusCreated {
				t.Errorf("held %v", held)
			}
		})
	}
}

// spaces is white space without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
