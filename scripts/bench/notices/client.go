package notices

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings/scripts/bench/load"
)

const (
	// Batch is how many notifications go with one request, the most that are taken.
	Batch = 100
	// importBatch is how many people do.
	importBatch = 1000
	// posters is how many requests are under way in a flood: enough for the next one to
	// be there when one is answered.
	posters = 4
	// postTime bounds a request.
	postTime = 30 * time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 1 << 20
)

// Client imports people and posts notifications. Make one with NewClient.
type Client struct {
	url, token string
	books      *Books
	body       string
	http       *http.Client
}

// NewClient returns a client of the server at a base URL. The token must be allowed to
// notify, and size is the length of each notification's body in bytes.
func NewClient(base, token string, books *Books, size int) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: posters}
	return &Client{
		url: base, token: token, books: books, body: strings.Repeat("x", size),
		http: &http.Client{Timeout: postTime, Transport: transport},
	}
}

// Close closes its connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Import puts the people on file.
func (c *Client) Import(ctx context.Context) error {
	type person struct {
		User  string `json:"user"`
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	for from := 0; from < c.books.people; from += importBatch {
		var list []person
		for i := from; i < min(from+importBatch, c.books.people); i++ {
			user := c.books.user(i)
			list = append(list, person{user, "Person " + user, email(user)})
		}
		if err := c.post(ctx, "/v1/people", list, http.StatusOK, nil); err != nil {
			return fmt.Errorf("import people: %w", err)
		}
	}
	return nil
}

// notification is what is posted.
type notification struct {
	To       []string `json:"to"`
	ID       string   `json:"id"`
	Category string   `json:"category"`
	Title    string   `json:"title"`
	Body     string   `json:"body"`
}

// Post posts the notifications from one number to below another, Batch at most, and
// returns how long it took to have them accepted.
func (c *Client) Post(ctx context.Context, from, to int) (time.Duration, error) {
	list := make([]notification, 0, to-from)
	for n := from; n < to; n++ {
		// Orders are mailed at once, however many there are.
		list = append(list, notification{To: []string{c.books.user(n)}, ID: id(n), Category: "orders", Title: title(n), Body: c.body})
	}
	var answers []struct {
		ID         string
		Recipients int
		Duplicate  bool
	}
	began := time.Now()
	for n := from; n < to; n++ {
		c.books.post(n)
	}
	if err := c.post(ctx, "/v1/notify", list, http.StatusAccepted, &answers); err != nil {
		return 0, fmt.Errorf("notify: %w", err)
	}
	took := time.Since(began)
	for i, a := range answers {
		if len(answers) != len(list) || a.ID != list[i].ID || a.Recipients != 1 || a.Duplicate {
			return 0, fmt.Errorf("notify: %d answers to %d notifications, of %+v", len(answers), len(list), a)
		}
	}
	return took, nil
}

// Pace posts notifications one by one at a rate a second, each when its time has come
// and the one before is accepted, and counts how long that takes.
func (c *Client) Pace(ctx context.Context, from, to int, rate float64) (*load.Histogram, error) {
	accept := &load.Histogram{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n, start := from, time.Now(); n < to; n++ {
		timer.Reset(time.Until(start.Add(time.Duration(float64(n-from) / rate * float64(time.Second)))))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		took, err := c.Post(ctx, n, n+1)
		if err != nil {
			return nil, err
		}
		accept.Add(took)
	}
	return accept, nil
}

// Flood posts notifications as fast as they are accepted, and counts how long each batch
// takes.
func (c *Client) Flood(ctx context.Context, from, to int) (*load.Histogram, error) {
	accept := &load.Histogram{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(posters)
	for n := from; n < to && ctx.Err() == nil; n += Batch {
		g.Go(func() error {
			took, err := c.Post(ctx, n, min(n+Batch, to))
			accept.Add(took)
			return err
		})
	}
	return accept, g.Wait()
}

// post sends JSON and reads the answer into out, if that is not nil.
func (c *Client) post(ctx context.Context, path string, in any, status int, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("json.Marshal: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if resp.StatusCode != status {
		return errors.New(resp.Status + ": " + string(answer[:min(len(answer), 300)]))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}
