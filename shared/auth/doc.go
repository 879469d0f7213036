// Package auth decides who is calling and what they may do.
//
// A caller shows one credential: a JWT in the Authorization header, a one-time
// ticket in the query (EventSource cannot set headers), or a JWT in the cookie
// tidings_token, which additionally needs a trusted Origin because browsers send
// cookies without being asked. Whatever the door, the answer is the same: a Grant,
// or an *Error with a stable code and a sentence that is safe to show. A
// credential that is present but bad is always an error; it never falls through
// to the next door, so an expired login cannot quietly become a lesser one.
//
// # Tokens
//
// A Verifier accepts HS256, RS256, ES256 and EdDSA. The algorithm belongs to the
// key and not to the token: the "alg" of a JWK, or else the type of the key, pins
// it, so a public key can never be used as a shared secret and "none" is nothing.
// Keys come from a secret, from a file (PEM or JWKS) and from a JWKS URL. A key
// without an id is tried on every token of its algorithm; a key with an id only
// on tokens that name it or name none. Certificates are mere wrapping: their dates
// and chains are not checked, since the operator chose to trust the key.
//
// The claims are
//
//	{"sub":"ann","exp":…,"jti":…,"tidings":{"sub":["room.orders.>"],"pub":["room.chat.*"],"notify":true,"admin":true}}
//
// sub and exp are required. A malformed pattern refuses the whole token: a typo
// must not silently narrow or widen a grant. Member names are matched exactly and
// may not repeat, so that no other reader of the token can see a different grant.
//
// # Tickets
//
// A ticket is 256 random bits. The store sees only its SHA-256, so a leaked store
// leaks no ticket, and taking one out removes it, so it works once.
//
// # Concurrency
//
// Every type is safe for concurrent use; a Grant is immutable once handed out.
// NewVerifier starts one goroutine if, and only if, a JWKS URL is configured. It
// alone fetches; callers that miss a key ask it, at a limited rate, and wait for
// the round to end. It ends with the context given to NewVerifier, or at
// Verifier.Close, which waits for it. A URL that is down is not an error at the
// start: until the first keys arrive, tokens that may need them are answered with
// keys_unavailable, and the goroutine keeps trying. The same holds for tokens with
// unknown keys while a later refresh fails; known keys go on working.
package auth
