package auth_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tidings/shared/auth"
)

// issuer is a fake transport: an issuer in virtual time.
type issuer struct {
	mu      sync.Mutex
	body    string
	status  int           // 0 means 200.
	err     error         // Instead of an answer.
	delay   time.Duration // Before it answers.
	fetches int
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetches++
	delay := i.delay
	i.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return nil, i.err
	}
	w := httptest.NewRecorder()
	if i.status != 0 {
		w.WriteHeader(i.status)
	}
	_, _ = io.WriteString(w, i.body)
	return w.Result(), nil
}

func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

const jwksURL = "https://id.example/jwks?key=hunter2"

func publish(keys map[string]crypto.PublicKey) string {
	s := []byte(`{"keys":[`)
	for kid, k := range keys {
		if len(s) > 9 {
			s = append(s, ',')
		}
		s = append(s, jwk(k, kid, "")...)
	}
	return string(append(s, "]}"...))
}

func rsaToken(kid string) string {
	return sign(jwt.SigningMethodRS256, rsaKey(), map[string]any{"kid": kid}, claimsOf("ann"))
}

func edToken(kid string) string {
	return sign(jwt.SigningMethodEdDSA, edKey(), map[string]any{"kid": kid}, claimsOf("ann"))
}

// remoteTest runs f in virtual time with a verifier of the issuer.
func remoteTest(t *testing.T, i *issuer, cfg auth.Config, f func(t *testing.T, v *auth.Verifier, log *logBuffer)) {
	t.Helper()
	t.Parallel()
	rsaKey() // Making keys takes real time.
	synctest.Test(t, func(t *testing.T) {
		cfg.JWKSURL, cfg.Transport = jwksURL, i
		var log logBuffer
		v, err := auth.NewVerifier(t.Context(), cfg, log.logger())
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		f(t, v, &log)
		if strings.Contains(log.String(), "hunter2") {
			t.Errorf("the log shows the URL's query: %s", log.String())
		}
	})
}

func TestRemoteRotation(t *testing.T) {
	i := &issuer{body: publish(map[string]crypto.PublicKey{"one": rsaKey().Public()})}
	remoteTest(t, i, auth.Config{}, func(t *testing.T, v *auth.Verifier, _ *logBuffer) {
		wantUser(t, v, rsaToken("one"), "ann") // Waits for the first fetch.
		wantUser(t, v, rsaToken("one"), "ann")
		if err := v.Check(t.Context()); err != nil {
			t.Errorf("Check: %v", err)
		}
		if n := i.count(); n != 1 {
			t.Fatalf("%d fetches, want 1", n)
		}
		i.set(func(i *issuer) { i.body = publish(map[string]crypto.PublicKey{"two": edKey().Public()}) })
		wantUser(t, v, edToken("two"), "ann") // The unknown kid makes it fetch.
		wantRefusal(t, v, rsaToken("one"), auth.CodeTokenInvalid)
	})
}

func TestRemoteRefreshesByItself(t *testing.T) {
	i := &issuer{body: publish(map[string]crypto.PublicKey{"one": rsaKey().Public()})}
	remoteTest(t, i, auth.Config{}, func(t *testing.T, v *auth.Verifier, _ *logBuffer) {
		wantUser(t, v, rsaToken("one"), "ann")
		i.set(func(i *issuer) { i.body = publish(map[string]crypto.PublicKey{"two": edKey().Public()}) })
		wantUser(t, v, rsaToken("one"), "ann")
		pass(auth.DefaultRefresh + time.Second)
		if n := i.count(); n != 2 {
			t.Fatalf("%d fetches, want 2", n)
		}
		wantUser(t, v, edToken("two"), "ann")
	})
}

func TestRemoteUnknownKeysAreRateLimited(t *testing.T) {
	i := &issuer{body: publish(map[string]crypto.PublicKey{"one": rsaKey().Public()})}
	remoteTest(t, i, auth.Config{}, func(t *testing.T, v *auth.Verifier, _ *logBuffer) {
		wantUser(t, v, rsaToken("one"), "ann")
		for range 100 {
			wantRefusal(t, v, rsaToken("junk"), auth.CodeTokenInvalid)
			wantRefusal(t, v, edToken(""), auth.CodeTokenInvalid)
		}
		if n := i.count(); n > 3 {
			t.Fatalf("200 bad tokens caused %d fetches", n)
		}
		// A bad signature of a known key, or an HS256 token, is no reason to fetch.
		pass(time.Minute) // The limiter is full again.
		before := i.count()
		wantRefusal(t, v, sign(jwt.SigningMethodRS256, otherRSA(), map[string]any{"kid": "one"}, claimsOf("eve")), auth.CodeTokenInvalid)
		wantRefusal(t, v, hs(claimsOf("eve")), auth.CodeTokenInvalid)
		if n := i.count(); n != before {
			t.Fatalf("%d needless fetches", n-before)
		}
	})
}

func TestRemoteConcurrentMissesShareOneFetch(t *testing.T) {
	i := &issuer{body: publish(map[string]crypto.PublicKey{"one": rsaKey().Public()})}
	remoteTest(t, i, auth.Config{}, func(t *testing.T, v *auth.Verifier, _ *logBuffer) {
		wantUser(t, v, rsaToken("one"), "ann")
		i.set(func(i *issuer) {
			i.body, i.delay = publish(map[string]crypto.PublicKey{"two": edKey().Public()}), time.Second
		})
		var wg sync.WaitGroup
		token := edToken("two")
		for range 50 {
			wg.Go(func() {
				if _, err := v.Verify(t.Context(), token); err != nil {
					t.Errorf("Verify: %v", err)
				}
			})
		}
		wg.Wait()
		if n := i.count(); n != 2 {
			t.Fatalf("%d fetches, want 2", n)
		}
	})
}

func TestRemoteDownAtStart(t *testing.T) {
	i := &issuer{err: errors.New("no route")}
	remoteTest(t, i, auth.Config{Secret: []byte(secret)}, func(t *testing.T, v *auth.Verifier, log *logBuffer) {
		wantRefusal(t, v, rsaToken("one"), auth.CodeKeysUnavailable)
		wantCode(t, v.Check(t.Context()), auth.CodeKeysUnavailable, "")
		wantUser(t, v, hs(claimsOf("ann")), "ann") // The secret needs no URL.
		wantRefusal(t, v, sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil, claimsOf("eve")), auth.CodeTokenInvalid)
		pass(time.Hour)
		if n := i.count(); n < 60 || n > 140 {
			t.Fatalf("%d fetches in an hour of failure, want about two a minute at most", n)
		}
		if !strings.Contains(log.String(), "no route") {
			t.Errorf("the log does not say why: %s", log.String())
		}
		i.set(func(i *issuer) { i.err, i.body = nil, publish(map[string]crypto.PublicKey{"one": rsaKey().Public()}) })
		pass(time.Minute)
		wantUser(t, v, rsaToken("one"), "ann")
		if !strings.Contains(log.String(), "are back") {
			t.Errorf("the log does not say that all is well: %s", log.String())
		}
	})
}

func TestRemoteFailuresKeepTheKeys(t *testing.T) {
	body := publish(map[string]crypto.PublicKey{"one": rsaKey().Public()})
	i := &issuer{body: body}
	remoteTest(t, i, auth.Config{}, func(t *testing.T, v *auth.Verifier, log *logBuffer) {
		wantUser(t, v, rsaToken("one"), "ann")
		for name, change := range map[string]func(*issuer){
			"down":        func(i *issuer) { i.err = errors.New("down") },
			"status 500":  func(i *issuer) { i.status = 500 },
			"redirect":    func(i *issuer) { i.status = 302 },
			"not JSON":    func(i *issuer) { i.body = "<html>" },
			"other JSON":  func(i *issuer) { i.body = "{}" },
			"endless":     func(i *issuer) { i.body = body + strings.Repeat(" ", 256<<10) },
			"never ready": func(i *issuer) { i.delay = time.Hour },
			"too many":    func(i *issuer) { i.body = `{"keys":[` + strings.Repeat("{},", 64) + "{}]}" },
		} {
			i.set(func(i *issuer) { i.body, i.status, i.err, i.delay = body, 0, nil, 0; change(i) })
			before := i.count()
			pass(auth.DefaultRefresh + time.Minute)
			if i.count() == before {
				t.Fatalf("%s: nothing was fetched", name)
			}
			wantUser(t, v, rsaToken("one"), "ann")
			wantRefusal(t, v, edToken("two"), auth.CodeKeysUnavailable) // It may be new.
			if err := v.Check(t.Context()); err != nil {
				t.Errorf("%s: Check: %v", name, err)
			}
		}
		if n := strings.Count(log.String(), "failed"); n == 0 {
			t.Error("failures were not logged")
		}
		// A set that is there and empty is the issuer's word.
		i.set(func(i *issuer) { i.status, i.err, i.delay, i.body = 0, nil, 0, `{"keys":[]}` })
		pass(auth.DefaultRefresh)
		wantRefusal(t, v, rsaToken("one"), auth.CodeKeysUnavailable)
		i.set(func(i *issuer) { i.body = body })
		pass(time.Minute)
		wantUser(t, v, rsaToken("one"), "ann")
	})
}

func TestRemoteNeverTrustsSharedOrPrivateKeys(t *testing.T) {
	set := jwks(
		jwk([]byte(secret), "shared", "HS256"),
		edit(jwk(edKey().Public(), "leaked", ""), map[string]any{"d": rawURL(edKey().Seed())}),
		jwk(weakRSA().Public(), "weak", ""),
		jwk(rsaKey().Public(), "one", "RS256"),
	)
	i := &issuer{body: string(set)}
	remoteTest(t, i, auth.Config{}, func(t *testing.T, v *auth.Verifier, log *logBuffer) {
		wantUser(t, v, rsaToken("one"), "ann") // The others do not spoil it.
		wantRefusal(t, v, hs(claimsOf("eve")), auth.CodeTokenInvalid)
		wantRefusal(t, v, sign(jwt.SigningMethodHS256, []byte(secret), map[string]any{"kid": "shared"}, claimsOf("eve")), auth.CodeTokenInvalid)
		wantRefusal(t, v, edToken("leaked"), auth.CodeTokenInvalid)
		wantRefusal(t, v, sign(jwt.SigningMethodRS256, weakRSA(), map[string]any{"kid": "weak"}, claimsOf("eve")), auth.CodeTokenInvalid)
		pass(3 * auth.DefaultRefresh)
		if n := strings.Count(log.String(), "cannot be used"); n != 1 {
			t.Errorf("skipped keys were logged %d times, want once: %s", n, log.String())
		}
		if strings.Contains(log.String(), rawURL([]byte(secret))) || strings.Contains(log.String(), rawURL(edKey().Seed())) {
			t.Error("the log shows a key")
		}
	})
}

func TestRemoteWaitIsBounded(t *testing.T) {
	i := &issuer{delay: time.Hour}
	remoteTest(t, i, auth.Config{}, func(t *testing.T, v *auth.Verifier, _ *logBuffer) {
		start := time.Now()
		wantRefusal(t, v, rsaToken("one"), auth.CodeKeysUnavailable)
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("a token waited %s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		_, err := v.Verify(ctx, rsaToken("one"))
		wantCode(t, err, auth.CodeKeysUnavailable, "")
		if d := time.Since(start); d > time.Second {
			t.Errorf("a token waited %s beyond its context", d)
		}
	})
}

func TestRemoteEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, hanging := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			i := &issuer{body: publish(map[string]crypto.PublicKey{"one": edKey().Public()})}
			if hanging {
				i.delay = time.Hour
			}
			ctx, cancel := context.WithCancel(t.Context())
			v, err := auth.NewVerifier(ctx, auth.Config{JWKSURL: jwksURL, Transport: i}, nil)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			cancel()
			synctest.Wait() // The goroutine is gone, or the bubble reports it.
			n := i.count()
			if !hanging {
				wantUser(t, v, edToken("one"), "ann")
				wantRefusal(t, v, edToken("two"), auth.CodeTokenInvalid)
			}
			pass(time.Hour)
			if i.count() != n {
				t.Error("it fetches after its end")
			}
			v.Close()
			v.Close()
		})
	}
}

// TestRemoteOverTheNetwork uses the real transport and a real server that is not
// there at first.
func TestRemoteOverTheNetwork(t *testing.T) {
	t.Parallel()
	var body atomic.Value
	body.Store(publish(map[string]crypto.PublicKey{"one": rsaKey().Public()}))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/jwks", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, body.Load().(string))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()

	v := verifier(t, auth.Config{JWKSURL: "http://" + addr + "/jwks"})
	wantRefusal(t, v, rsaToken("one"), auth.CodeKeysUnavailable)

	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}}
	s.Start()
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		_, err := v.Verify(ctx, rsaToken("one"))
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("it does not heal: %v", err)
		}
		pass(poll)
	}
	body.Store(publish(map[string]crypto.PublicKey{"two": edKey().Public()}))
	for ctx.Err() == nil {
		if _, err = v.Verify(ctx, edToken("two")); err == nil {
			break
		}
		pass(poll)
	}
	if err != nil {
		t.Fatalf("the new key is not found: %v", err)
	}

	moved := verifier(t, auth.Config{JWKSURL: "http://" + addr + "/moved"})
	wantRefusal(t, moved, edToken("two"), auth.CodeKeysUnavailable)
}
