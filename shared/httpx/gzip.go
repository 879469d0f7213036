package httpx

import (
	"net/http"
	"strconv"
	"strings"
)

// AcceptsGzip reports whether the sender of a request takes gzip, by its header
// Accept-Encoding. Anything unclear means no.
func AcceptsGzip(h http.Header) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		name, value, ok := strings.Cut(params, "=")
		if !ok {
			return strings.TrimSpace(params) == ""
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err == nil && q > 0 && strings.EqualFold(strings.TrimSpace(name), "q")
	}
	return false
}
