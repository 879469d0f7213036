package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Times of a JWKS URL.
const (
	// DefaultRefresh is how often the keys are fetched when all is well. It bounds
	// how long a key withdrawn by the issuer is still accepted.
	DefaultRefresh = 15 * time.Minute
	// minRefresh keeps a typo from turning us into a load on the issuer.
	minRefresh = 10 * time.Second
	// fetchTimeout bounds one fetch, body included.
	fetchTimeout = 10 * time.Second
	// keyWait is how long a token waits for a fetch under way. It is short: a
	// caller who is told to come back is better off than one who hangs.
	keyWait = 3 * time.Second
	// missEvery and missBurst limit fetches caused by tokens with unknown keys.
	// Anyone can send such tokens; they must not become requests to the issuer.
	missEvery = 10 * time.Second
	missBurst = 2
	// firstRetry and lastRetry are the ends of the back-off while fetching fails.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// maxReplyHeader bounds the header of the issuer's answer in bytes.
	maxReplyHeader = 64 << 10
)

// remote keeps the keys behind a JWKS URL. jwkset's own HTTP storage is not used:
// it blocks the start for the first fetch, retries only at its interval, cannot
// bound the body, rejects a whole set for one bad key, and nobody can wait for its
// goroutine.
type remote struct {
	url     string
	name    string // url without its query, for logs.
	every   time.Duration
	client  *http.Client
	limiter *rate.Limiter
	log     *slog.Logger
	cancel  context.CancelFunc
	wake    chan struct{} // Capacity 1: a token asks run for a fetch.
	done    chan struct{} // Closed when run has ended.

	mu      sync.Mutex
	keys    keyring
	current bool          // The last fetch worked and brought a usable key.
	due     bool          // A fetch is under way or asked for.
	round   chan struct{} // Closed when the next fetch ends.

	skipped string // What was last logged as skipped; owned by run.
}

// newRemote starts fetching. It must be closed, or its context ended.
func newRemote(ctx context.Context, cfg Config, log *slog.Logger) *remote {
	ctx, cancel := context.WithCancel(ctx)
	name, _, _ := strings.Cut(cfg.JWKSURL, "?")
	r := &remote{
		url:     cfg.JWKSURL,
		name:    name,
		every:   cfg.Refresh,
		client:  &http.Client{Transport: cfg.Transport, CheckRedirect: refuseRedirect},
		limiter: rate.NewLimiter(rate.Every(missEvery), missBurst),
		log:     log,
		cancel:  cancel,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		due:     true,
		round:   make(chan struct{}),
	}
	if r.client.Transport == nil {
		r.client.Transport = newTransport()
	}
	go r.run(ctx)
	return r
}

// close ends the goroutine and waits for it.
func (r *remote) close() {
	r.cancel()
	<-r.done
}

// run fetches now, then whenever it is time or a token asks, until ctx ends.
func (r *remote) run(ctx context.Context) {
	defer close(r.done)
	defer r.cancel()
	for failures := 0; ; {
		pause := r.every
		if err := r.fetch(ctx); ctx.Err() != nil {
			return
		} else if err != nil {
			failures++
			pause = retryPause(failures)
			r.log.Warn("fetching the token keys failed", "url", r.name, "error", err, "retry_in", pause)
		} else if failures > 0 {
			r.log.Info("the token keys are back", "url", r.name)
			failures = 0
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-r.wake:
			t.Stop()
		case <-t.C:
		}
	}
}

// fetch runs one round and tells those who wait for it. After a failure the old
// keys stay: an issuer that is down for an hour must not log everybody out. An
// answer without a usable key is the issuer's word, and does replace them.
func (r *remote) fetch(ctx context.Context) error {
	r.mu.Lock()
	r.due = true
	select {
	case <-r.wake: // This round is the one that was asked for.
	default:
	}
	r.mu.Unlock()
	keys, skipped, err := r.get(ctx)

	r.mu.Lock()
	if err == nil {
		r.keys = keys
	}
	r.current = err == nil && len(keys) > 0
	r.due = false
	close(r.round)
	r.round = make(chan struct{})
	r.mu.Unlock()

	if all := strings.Join(skipped, "; "); err == nil && all != r.skipped {
		r.skipped = all
		r.log.Warn("some token keys cannot be used", "url", r.name, "keys", all)
	}
	if err == nil && len(keys) == 0 {
		return errors.New("the key set holds no usable key")
	}
	return err
}

// get fetches and parses the key set.
func (r *remote) get(ctx context.Context) (keyring, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, nil, withoutURL(err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, nil, withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the answer's status is %d and 200 is needed (redirects are not followed: configure the final address)", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > maxKeySet {
		return nil, nil, fmt.Errorf("the answer is larger than %d bytes", maxKeySet)
	}
	return parseKeySetURL(body)
}

// snapshot is what a token is checked with.
type snapshot struct {
	keys keyring
	// current says that these are the issuer's latest keys, as far as we could ask.
	// If not, a token with an unknown key may still be a good one.
	current bool
	round   <-chan struct{} // Closed when a fetch has ended since.
}

func (r *remote) snapshot() snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return snapshot{keys: r.keys, current: r.current, round: r.round}
}

// renew returns when a fetch has ended since s was taken: it joins the one under
// way, or asks for one if the rate allows. It reports whether there was one in
// time, well or not.
func (r *remote) renew(ctx context.Context, s snapshot) bool {
	r.mu.Lock()
	if !r.due && s.round == r.round {
		if !r.limiter.Allow() {
			r.mu.Unlock()
			return false
		}
		r.due = true
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	select {
	case <-s.round:
		return true
	case <-r.done:
	case <-ctx.Done():
	}
	return false
}

// retryPause doubles from firstRetry to lastRetry. Half of it is random, so that
// the nodes of a cluster do not return to a recovering issuer as one.
func retryPause(failures int) time.Duration {
	d := lastRetry
	if shift := failures - 1; shift < 6 {
		d = min(d, firstRetry<<shift)
	}
	return d/2 + rand.N(d/2)
}

// checkURL reports why keys may not be fetched from raw. Plain HTTP is allowed to
// this machine only: whoever can change the answer can sign tokens.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("the JWKS URL is not a URL such as https://issuer.example/.well-known/jwks.json")
	case u.User != nil:
		return errors.New("the JWKS URL must not contain a user or password")
	case u.Scheme == "https", u.Scheme == "http" && loopbackHost(u.Hostname()):
		return nil
	}
	return errors.New("the JWKS URL must begin with https:// (http:// is for loopback addresses only)")
}

// loopbackHost reports whether a host without port is this machine by its very
// name. No name is looked up: an attacker's name may resolve to a loopback address.
func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// newTransport returns a transport that holds no idle connection: minutes pass
// between fetches.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: fetchTimeout}).DialContext,
		TLSHandshakeTimeout:    fetchTimeout,
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxReplyHeader,
	}
}

// refuseRedirect makes a redirect the answer itself. Following it could leave
// https or the host the operator trusts.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// withoutURL strips the address from an HTTP error; its query may hold a key.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("request: %w", err)
}
