package httpx_test

import (
	"net/http"
	"strings"
	"testing"

	"tidings/shared/httpx"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		values []string
		want   string
		ok     bool
	}{
		{nil, "", true},
		{[]string{"k 1"}, "k 1", true},
		{[]string{strings.Repeat("k", 200)}, strings.Repeat("k", 200), true},
		{[]string{strings.Repeat("k", 201)}, "", false},
		{[]string{""}, "", false},
		{[]string{"é"}, "", false},
		{[]string{"a\tb"}, "", false},
		{[]string{"a", "a"}, "", false},
	} {
		header := http.Header{}
		for _, v := range tc.values {
			header.Add(httpx.HeaderIdempotencyKey, v)
		}
		got, err := httpx.IdempotencyKey(header)
		if got != tc.want || (err == nil) != tc.ok {
			t.Errorf("%q: %q, %v", tc.values, got, err)
		}
	}
}
