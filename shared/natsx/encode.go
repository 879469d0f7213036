package natsx

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Encode returns v as JSON the way it is stored: '<', '>' and '&' as they are, since what
// is stored stands in no page, and escaped they would be six times as long.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
