package auth

import "fmt"

// Codes of an Error. They are part of the HTTP API and never change.
const (
	// CodeTokenMissing: no credential was shown.
	CodeTokenMissing = "token_missing"
	// CodeTokenMalformed: what was shown is not a token, or not one to be read safely.
	CodeTokenMalformed = "token_malformed"
	// CodeTokenExpired: the token was good and has ended; a new one helps.
	CodeTokenExpired = "token_expired"
	// CodeTokenInvalid: the token is not acceptable here; the same one never will be.
	CodeTokenInvalid = "token_invalid"
	// CodeTokenRevoked: the token was good and has been taken back.
	CodeTokenRevoked = "token_revoked"
	// CodeTicketInvalid: the ticket is unknown, used or past its time.
	CodeTicketInvalid = "ticket_invalid"
	// CodeOriginRefused: a cookie came with a request another site may have caused.
	CodeOriginRefused = "origin_refused"
	// CodeKeysUnavailable: it can't be decided now; the same credential may work soon.
	CodeKeysUnavailable = "keys_unavailable"
)

// Error says why a caller was refused. Find it with errors.As.
type Error struct {
	// Code is one of the Code constants.
	Code string
	// Reason is a sentence for the caller: what is wrong and what to do. It never
	// contains the credential.
	Reason string
	// Err is the cause, if there is more to say. It is for logs only.
	Err error
}

// Error returns the code, the reason and the cause. Show callers Reason instead.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Reason + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func malformed(format string, args ...any) *Error {
	return &Error{Code: CodeTokenMalformed, Reason: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *Error {
	return &Error{Code: CodeTokenInvalid, Reason: fmt.Sprintf(format, args...)}
}

func expired() *Error {
	return &Error{Code: CodeTokenExpired, Reason: "the token has expired: get a new one and try again"}
}
