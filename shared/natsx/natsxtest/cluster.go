package natsxtest

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster is some servers that replicate streams among them.
type Cluster struct {
	t       testing.TB
	servers []*Server
}

// RunCluster starts n servers, named n0, n1 and so on, as one cluster with
// JetStream, and waits until it has a leader. They stop when the test ends.
func RunCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	ports := freePorts(t, n)
	var routes []string
	for _, port := range ports {
		routes = append(routes, "nats-route://127.0.0.1:"+portText(port))
	}
	c := &Cluster{t: t}
	for i, port := range ports {
		s := &Server{t: t, opts: options(t, fmt.Sprintf(
			"server_name: n%d\njetstream: enabled\ncluster { name: c, host: 127.0.0.1, port: %d, routes: [%s] }",
			i, port, strings.Join(routes, ", ")))}
		c.servers = append(c.servers, s)
	}
	t.Cleanup(func() {
		for _, s := range c.servers {
			s.Stop()
		}
	})
	for _, s := range c.servers {
		s.Start()
	}
	c.wait("the cluster to form", func() bool { return c.current() == n && c.online() == n })
	return c
}

// URL returns the addresses of all servers as one list.
func (c *Cluster) URL() string {
	var list []string
	for _, s := range c.servers {
		list = append(list, s.URL())
	}
	return strings.Join(list, ",")
}

// Stop stops the server of the given name.
func (c *Cluster) Stop(name string) { c.named(name).Stop() }

// Start starts the server of the given name again.
func (c *Cluster) Start(name string) {
	c.t.Helper()
	c.named(name).Start()
}

func (c *Cluster) named(name string) *Server {
	c.t.Helper()
	for _, s := range c.servers {
		if s.opts.ServerName == name {
			return s
		}
	}
	c.t.Fatalf("there is no server %q in the cluster", name)
	return nil
}

// current counts the servers that follow a leader, or are it.
func (c *Cluster) current() int {
	n := 0
	for _, s := range c.servers {
		if s.live != nil && s.live.JetStreamIsCurrent() {
			n++
		}
	}
	return n
}

// online counts the servers that the leader can place streams on.
func (c *Cluster) online() int {
	n := 0
	for _, s := range c.servers {
		if s.live != nil && s.live.JetStreamIsLeader() {
			n = max(n, len(s.live.JetStreamClusterPeers()))
		}
	}
	return n
}

func (c *Cluster) wait(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			c.t.Fatalf("timed out waiting for %s", what)
		case <-tick.C:
		}
	}
}

// freePorts finds ports for the routes. They must be known before any server
// starts, since each is told of the others.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // held until all are found, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func portText(port int) string { return strconv.Itoa(port) }
