package config

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings/shared/subject"
	"tidings/shared/telemetry"
)

// Bounds of settings. They keep out slips of the keyboard, not ambition.
const (
	// maxNode bounds a node's name; it is a part of subjects and log lines.
	maxNode = 64
	// maxAge is the longest that events are kept: a year.
	maxAge = 365 * 24 * time.Hour
	// maxHeartbeat keeps streams alive behind common proxies, which cut silence after
	// 60 s, even when one heartbeat is late.
	maxHeartbeat = 55 * time.Second
	// maxDrain is the longest stop; orchestrators kill far earlier.
	maxDrain = 10 * time.Minute
	// minEventsBytes and minTailBytes hold a few events of the largest size.
	minEventsBytes = 4 * mib
	minTailBytes   = 1 * mib
	// maxConnections is where a Linux process runs out of descriptors by default
	// (fs.nr_open).
	maxConnections = 1 << 20
	// maxPerTopic bounds the events of one topic.
	maxPerTopic = 10_000_000
	// maxTopics bounds the topics of one stream; each costs an index entry.
	maxTopics = 10_000
)

// Validate checks that every setting is in its range and that they fit together. It
// returns all faults, joined. Load calls it.
func (s *Settings) Validate() error {
	v := &validator{s: s}
	v.listeners()
	v.tls()
	v.nats()
	v.tokens()
	v.notifications()
	v.browsers()
	v.bounds()
	return errors.Join(v.faults...)
}

// validator collects faults.
type validator struct {
	s      *Settings
	faults []error
}

func (v *validator) fault(name, problem string) {
	from := v.s.source[name]
	if from.Kind == "" {
		from.Kind = "set by the program"
	}
	v.faults = append(v.faults, &Fault{Setting: name, Source: from, Problem: problem})
}

// listeners checks the addresses.
func (v *validator) listeners() {
	s := v.s
	httpOK := v.address("http", s.HTTP, false)
	adminOK := v.address("admin", s.Admin, true)
	if httpOK && adminOK && s.Admin != "" && clash(s.HTTP, s.Admin) {
		v.fault("admin", shown(s.Admin)+" is the same address as http, "+shown(s.HTTP)+"; the admin listener needs its own")
	}
	v.address("nats-listen", s.NATSListen, true)
}

// tls checks that there is a whole pair. What the files hold is for the listener to
// check, which reads them.
func (v *validator) tls() {
	s := v.s
	switch {
	case s.TLSCert != "" && s.TLSKey == "":
		v.fault("tls-cert", "needs tls-key, the file with its private key; set both or neither")
	case s.TLSKey != "" && s.TLSCert == "":
		v.fault("tls-key", "needs tls-cert, the file with its certificate; set both or neither")
	}
}

func (v *validator) address(name, addr string, mayBeEmpty bool) bool {
	if addr == "" && mayBeEmpty {
		return true
	}
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || strings.ContainsAny(host, " /@") {
		v.fault(name, shown(addr)+" is no address; write host:port or :port, with a port from 0 to 65535")
		return false
	}
	return true
}

// clash reports whether two good addresses cannot both be listened on.
func clash(a, b string) bool {
	// Both have been split before.
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	if portA != portB || strings.Trim(portA, "0") == "" {
		return false
	}
	return hostA == hostB || anyHost(hostA) || anyHost(hostB)
}

func anyHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}

// nats checks what belongs to NATS and the streams.
func (v *validator) nats() {
	s := v.s
	if s.NATS != "" {
		for one := range strings.SplitSeq(s.NATS.Reveal(), ",") {
			if !goodURL(strings.TrimSpace(one), "nats", "tls", "ws", "wss") {
				v.fault("nats", "must be one or several of nats://, tls://, ws:// or wss://host:port, separated by commas")
				break
			}
		}
		if from := s.source["nats-listen"]; s.NATSListen != "" && from.Kind != "default" {
			v.fault("nats-listen", "belongs to the embedded NATS server, but nats names an external one; set only one of them")
		}
	} else {
		if s.Data == "" {
			v.fault("data", "must be a directory for the embedded NATS server; without nats there is one")
		}
		if s.Replicas > 1 {
			v.fault("replicas", "must be 1 for the embedded NATS server, which is alone; set nats to use a cluster")
		}
	}
	if s.NATSMonitor != "" && !goodURL(s.NATSMonitor.Reveal(), "http", "https") {
		v.fault("nats-monitor", "must be an http:// or https:// URL")
	}
	if _, err := subject.NewSpace(s.Prefix); err != nil || len(s.Prefix) > maxNode {
		v.fault("prefix", shown(s.Prefix)+" must be 1 to 64 letters, digits, '_' and '-'")
	}
	if !slices.Contains([]int{1, 3, 5}, s.Replicas) {
		v.fault("replicas", strconv.Itoa(s.Replicas)+" must be 1, 3 or 5: an odd number can always agree")
	}
	if s.Node == "" || len(s.Node) > maxNode || strings.ContainsFunc(s.Node, func(r rune) bool { return !nodeRune(r) }) {
		v.fault("node", shown(s.Node)+" must be 1 to 64 letters, digits, '.', '_' and '-'")
	}
}

// nodeRune reports whether r may be in a node's name.
func nodeRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}

// goodURL reports whether s is an absolute URL with a host and one of the schemes.
func goodURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Hostname() != "" && slices.Contains(schemes, u.Scheme)
}

// tokens checks the keys of tokens and the other secrets.
func (v *validator) tokens() {
	s := v.s
	if s.JWTJWKS != "" {
		u, err := url.Parse(s.JWTJWKS.Reveal())
		if err != nil || u.Hostname() == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
			v.fault("jwt-jwks", "must be an https:// URL, or http:// on this machine: whoever can change the keys can be anyone")
		}
	}
	for i, one := range s.SMTP {
		if !goodURL(one.Reveal(), "smtp", "smtps") {
			v.fault("smtp", "server "+strconv.Itoa(i+1)+" must be smtp://user:pass@host:587 or smtps://user:pass@host:465, with special characters of the password as %XX")
		}
	}
	seen := map[string]bool{}
	for _, h := range s.Hooks {
		if seen[h.Name] {
			v.fault("hooks", "has two webhooks named "+shown(h.Name))
		}
		seen[h.Name] = true
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// browsers checks the origins and writes them as browsers do.
func (v *validator) browsers() {
	for i, o := range v.s.Origins {
		if o == "*" {
			continue
		}
		normal, ok := normalOrigin(o)
		if !ok {
			v.fault("origins", shown(o)+" is no origin; write https://host or https://host:port, without a path")
			continue
		}
		v.s.Origins[i] = normal
	}
}

// normalOrigin lower-cases an origin and drops the scheme's own port, which is how
// browsers send it.
func normalOrigin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Contains(u.Host, "*") {
		return "", false
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#") {
		return "", false
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443" {
		host = host[:strings.LastIndexByte(host, ':')]
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ":"), true
}

// bounds checks the numbers.
func (v *validator) bounds() {
	s := v.s
	between(v, "events-age", s.EventsAge, time.Second, maxAge, shortDuration)
	between(v, "heartbeat", s.Heartbeat, time.Second, maxHeartbeat, shortDuration)
	between(v, "drain", s.Drain, 0, maxDrain, shortDuration)
	between(v, "events-bytes", s.EventsBytes, minEventsBytes, math.MaxInt64/tib*tib, Size.String)
	between(v, "tail-bytes", s.TailBytes, minTailBytes, tib, Size.String)
	between(v, "events-per-topic", s.EventsPerTopic, 1, maxPerTopic, strconv.Itoa)
	between(v, "max-connections", s.MaxConnections, 1, maxConnections, strconv.Itoa)
	between(v, "max-connections-per-user", s.MaxConnectionsPerUser, 1, maxConnections, strconv.Itoa)
	between(v, "max-connections-per-ip", s.MaxConnectionsPerIP, 0, maxConnections, strconv.Itoa)
	between(v, "max-topics", s.MaxTopics, 1, maxTopics, strconv.Itoa)
	if _, err := telemetry.ParseLevel(s.LogLevel); err != nil {
		v.fault("log-level", shown(s.LogLevel)+" must be debug, info, warn or error")
	}
	if s.LogFormat != telemetry.FormatText && s.LogFormat != telemetry.FormatJSON {
		v.fault("log-format", shown(s.LogFormat)+" must be text or json")
	}
}

// between checks a number's range.
func between[T int | Size | time.Duration](v *validator, name string, n, least, most T, text func(T) string) {
	if n < least || n > most {
		v.fault(name, text(n)+" must be from "+text(least)+" to "+text(most))
	}
}
