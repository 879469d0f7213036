package natsx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/shared/natsx"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	api := func(status int, code jetstream.ErrorCode, words string) error {
		return fmt.Errorf("publish: %w", &jetstream.APIError{Code: status, ErrorCode: code, Description: words})
	}
	for name, c := range map[string]struct {
		err, want error // want nil: returned as it is
	}{
		"no answer":            {nats.ErrTimeout, natsx.ErrAway},
		"deadline":             {fmt.Errorf("call: %w", context.DeadlineExceeded), natsx.ErrAway},
		"nobody listens":       {nats.ErrNoResponders, natsx.ErrAway},
		"no stream answered":   {jetstream.ErrNoStreamResponse, natsx.ErrAway},
		"closed":               {nats.ErrConnectionClosed, natsx.ErrAway},
		"disconnected":         {nats.ErrDisconnected, natsx.ErrAway},
		"reconnecting":         {nats.ErrConnectionReconnecting, natsx.ErrAway},
		"no buffer":            {nats.ErrReconnectBufExceeded, natsx.ErrAway},
		"draining":             {nats.ErrConnectionDraining, natsx.ErrAway},
		"stale":                {nats.ErrStaleConnection, natsx.ErrAway},
		"no servers":           {nats.ErrNoServers, natsx.ErrAway},
		"no leader":            {api(503, 10008, "JetStream system temporarily unavailable"), natsx.ErrAway},
		"not the leader":       {api(500, 10009, "JetStream cluster can not handle request"), natsx.ErrAway},
		"no peers":             {api(400, 10005, "no suitable peers for placement"), natsx.ErrAway},
		"offline":              {api(500, 10118, "stream is offline"), natsx.ErrAway},
		"some other 503":       {api(503, 1, "later"), natsx.ErrAway},
		"a failing disk":       {api(503, 10077, "input/output error"), natsx.ErrAway},
		"permissions":          {fmt.Errorf("%w: Permissions Violation for Publish to %q", nats.ErrPermissionViolation, "a"), natsx.ErrReadOnly},
		"authorization":        {nats.ErrAuthorization, natsx.ErrReadOnly},
		"payload":              {nats.ErrMaxPayload, natsx.ErrTooLarge},
		"message size":         {api(400, 10054, "message size exceeds maximum allowed"), natsx.ErrTooLarge},
		"no JetStream":         {jetstream.ErrJetStreamNotEnabled, natsx.ErrNoJetStream},
		"not for the account":  {jetstream.ErrJetStreamNotEnabledForAccount, natsx.ErrNoJetStream},
		"no JetStream, coded":  {api(503, 10076, "JetStream not enabled"), natsx.ErrNoJetStream},
		"not for it, coded":    {api(503, 10039, "JetStream not enabled for account"), natsx.ErrNoJetStream},
		"resources":            {api(503, 10023, "insufficient resources"), natsx.ErrFull},
		"storage":              {api(500, 10047, "insufficient storage resources available"), natsx.ErrFull},
		"memory":               {api(500, 10028, "insufficient memory resources available"), natsx.ErrFull},
		"account":              {api(400, 10002, "resource limits exceeded for account"), natsx.ErrFull},
		"streams":              {api(400, 10027, "maximum number of streams reached"), natsx.ErrFull},
		"stream limits":        {api(500, 10053, "stream exceeds limits"), natsx.ErrFull},
		"bytes":                {api(503, 10077, "maximum bytes exceeded"), natsx.ErrFull},
		"messages":             {api(503, 10077, "maximum messages exceeded"), natsx.ErrFull},
		"the disk":             {api(503, 10077, "write: no space left on device"), natsx.ErrFull},
		"a request that's bad": {api(400, 10003, "bad request"), nil},
		"no such stream":       {jetstream.ErrStreamNotFound, nil},
		"the caller's end":     {context.Canceled, nil},
		"anything":             {io.ErrUnexpectedEOF, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := natsx.Classify(c.err)
			if !errors.Is(got, c.err) {
				t.Errorf("%v hides %v", got, c.err)
			}
			for _, kind := range []error{natsx.ErrAway, natsx.ErrOld, natsx.ErrNoJetStream, natsx.ErrReadOnly, natsx.ErrFull, natsx.ErrTooLarge} {
				if is := errors.Is(got, kind); is != (kind == c.want) {
					t.Errorf("%v is %q: %v", got, kind, is)
				}
			}
			if c.want == nil && got != c.err { // the very same
				t.Errorf("%v was wrapped", c.err)
			}
		})
	}
	if err := natsx.Classify(nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}

func TestOlderThan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version, minimum string
		want             bool
	}{
		{"2.11.0", "2.11", false},
		{"2.11", "2.11", false},
		{"v2.11.3", "2.11", false},
		{"2.12.1", "2.11", false},
		{"2.100.0", "2.11", false},
		{"3.0.0", "2.11", false},
		{"2.11.0-RC.1", "2.11", false},
		{"2.10.29", "2.11", true},
		{"2.9.0", "2.11", true},
		{"1.99.0", "2.11", true},
		{"v2.10.0", "2.11", true},
		// A version that cannot be read is given the benefit of the doubt.
		{"", "2.11", false},
		{"2", "2.11", false},
		{"main", "2.11", false},
		{"2.x.1", "2.11", false},
	} {
		if got := natsx.OlderThan(c.version, c.minimum); got != c.want {
			t.Errorf("%q is older than %q: %v", c.version, c.minimum, got)
		}
	}
}
