package natsx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What can be wrong with NATS, from the point of view of someone who can mend it.
var (
	// ErrAway: no connection, no leader, or no answer in time. It passes by itself.
	ErrAway = errors.New("NATS is away")
	// ErrOld: the server lacks something Tidings needs; MinVersion says from when on it is there.
	ErrOld = errors.New("the NATS server is too old")
	// ErrNoJetStream: the server or the account has JetStream switched off.
	ErrNoJetStream = errors.New("JetStream is not enabled for this NATS account")
	// ErrReadOnly: the credentials in use may not publish to the subject.
	ErrReadOnly = errors.New("the NATS credentials may not write here")
	// ErrFull: the account or the server has no storage left.
	ErrFull = errors.New("NATS has no storage left")
	// ErrInUse: another process uses the data directory of an embedded server.
	ErrInUse = errors.New("the data directory is in use by another process")
	// ErrTooLarge: the message is over the server's or the stream's limit.
	ErrTooLarge = errors.New("the message is larger than NATS takes")
)

// Numeric codes of the JetStream API that nats.go has no names for.
const (
	codeInsufficientResources  = 10023
	codeStorageExceeded        = 10047
	codeMemoryExceeded         = 10028
	codeNoPeers                = 10005
	codeStreamCreateFailed     = 10049
	codeStreamStoreFailed      = 10077
	codeStreamOffline          = 10118
	codeClusterNotAvailable    = 10008
	codeClusterNotLeader       = 10009
	codeMaxStreams             = 10027
	codeStreamLimitsExceeded   = 10053
	codeAccountResourcesExceed = 10002
)

// Classify wraps err with the one of this package's errors that tells what to do
// about it, or returns it as it is. A nil err stays nil.
func Classify(err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

func kindOf(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return kindOfAPI(api)
	}
	switch {
	case errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrAuthorization):
		return ErrReadOnly
	case errors.Is(err, nats.ErrMaxPayload):
		return ErrTooLarge
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return ErrNoJetStream
	case errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse),
		errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrConnectionDraining),
		errors.Is(err, nats.ErrStaleConnection):
		return ErrAway
	}
	return nil
}

func kindOfAPI(e *jetstream.APIError) error {
	switch e.ErrorCode {
	case codeInsufficientResources, codeStorageExceeded, codeMemoryExceeded, codeMaxStreams, codeStreamLimitsExceeded, codeAccountResourcesExceed:
		return ErrFull
	case jetstream.JSErrCodeStreamMessageExceedsMaximum:
		return ErrTooLarge
	case jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount:
		return ErrNoJetStream
	case codeNoPeers, codeStreamOffline, codeClusterNotAvailable, codeClusterNotLeader:
		return ErrAway
	case codeStreamStoreFailed:
		// The server says only in words why storing failed: a limit that refuses new
		// messages, or a disk. Both need room; neither passes by itself.
		if strings.Contains(e.Description, "maximum") || strings.Contains(e.Description, "no space") {
			return ErrFull
		}
		return ErrAway
	}
	if e.Code == 503 {
		return ErrAway
	}
	return nil
}
