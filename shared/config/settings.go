package config

import (
	"net/netip"
	"time"

	"tidings/shared/telemetry"
)

// Settings is everything that can be set. The tags name the flag, give the default
// and explain; the environment variable and the file's key follow from the name.
type Settings struct {
	// Config is the path of the file that was read, "" for none.
	Config string `name:"config" help:"TOML file with settings"`

	// HTTP is the public listener, Admin the one for metrics, health and profiles.
	// An empty Admin means none.
	HTTP  string `name:"http" default:":8080" help:"address of the public listener"`
	Admin string `name:"admin" default:"127.0.0.1:9090" help:"address of the admin listener (metrics, health, profiles); empty for none"`
	// TLSCert and TLSKey are PEM files: the certificate, its issuers after it, and its
	// key. Both or neither; with them the public listener speaks TLS and HTTP/2.
	TLSCert string `name:"tls-cert" help:"PEM file with the certificate of the public listener and its issuers; empty for no TLS. A changed file is read again by itself"`
	TLSKey  string `name:"tls-key" help:"PEM file with the certificate's private key"`
	// Raw lets streams over plain HTTP/1.1 do without net/http.
	Raw bool `name:"raw" default:"true" help:"take the sockets of streams over on Linux; false leaves them to net/http"`

	// NATS are the servers' URLs, separated by commas; empty means an embedded server.
	NATS URL `name:"nats" help:"NATS URL, or several separated by commas; empty runs an embedded server"`
	// Data is the directory of the embedded server.
	Data string `name:"data" default:".tidings" help:"directory of the embedded NATS server"`
	// NATSListen is where the embedded server listens for other programs; empty means nowhere.
	NATSListen string `name:"nats-listen" help:"address on which the embedded NATS server listens; empty for none"`
	// NATSMonitor is the monitoring port of external servers.
	NATSMonitor URL `name:"nats-monitor" help:"URL of an external NATS server's monitoring port, for its metrics"`
	// NATSCreds is a credentials file for external servers.
	NATSCreds string `name:"nats-creds" help:"NATS credentials file"`
	// Prefix is the first token of every subject and stream name.
	Prefix string `name:"prefix" default:"tidings" help:"first token of every subject and stream"`
	// Replicas is how many servers keep each stream: 1, 3 or 5.
	Replicas int `name:"replicas" default:"1" help:"copies of each stream: 1, 3 or 5"`

	// JWTSecret, JWTKeys and JWTJWKS are the keys of tokens: HS256, a file, a URL. All
	// may be empty here; whoever needs tokens decides what that means.
	JWTSecret telemetry.Secret `name:"jwt-secret" help:"HS256 secret of tokens, at least 32 bytes except in development"`
	JWTKeys   string           `name:"jwt-keys" help:"PEM or JWKS file with the keys of tokens"`
	JWTJWKS   URL              `name:"jwt-jwks" help:"URL of a JWKS with the keys of tokens"`
	// JWTAudience and JWTIssuer must be in the token's aud and iss, if not empty.
	JWTAudience string `name:"jwt-audience" help:"audience that tokens must have; empty for any"`
	JWTIssuer   string `name:"jwt-issuer" help:"issuer that tokens must have; empty for any"`

	// SMTP are the mail servers in the order of fail-over, each smtp://user:pass@host:587.
	SMTP []telemetry.Secret `name:"smtp" help:"SMTP URLs in the order of fail-over: smtp://user:pass@host:587"`

	// MailFrom is the sender of mails, MailReplyTo who gets the answers. MailDomain is the
	// right half of their Message-ID, MailFrom's if empty.
	MailFrom    string `name:"mail-from" help:"sender of mails, such as Example <hello@example.com>"`
	MailReplyTo string `name:"mail-reply-to" help:"address for answers to mails; empty for mail-from"`
	MailDomain  string `name:"mail-domain" help:"domain of Message-IDs; empty for that of mail-from"`
	// MailRetry is the longest pause before a mail's second attempt; each more attempt waits
	// up to four times longer.
	MailRetry time.Duration `name:"mail-retry" default:"1m" help:"longest pause before the second attempt of a mail; each further one may be four times as long, up to six hours"`
	// MailPerDomain and MailPerRecipient bound how many mails one process sends to a domain
	// and to an address, each COUNT/TIME; empty for any number.
	MailPerDomain    string `name:"mail-per-domain" help:"most mails to a domain, such as 600/1h; each mailer counts for itself; critical ones pass; empty for any number"`
	MailPerRecipient string `name:"mail-per-recipient" help:"most mails to an address, such as 20/1h; critical ones pass; empty for any number"`
	// DKIM are the keys that sign mails, each domain=selector:file.
	DKIM []string `name:"dkim" help:"keys that sign mails, each domain=selector:file with a PEM file of an RSA or Ed25519 key"`
	// PublicURL is where people reach this Tidings: links in mails begin with it.
	PublicURL string `name:"public-url" help:"https URL at which people reach this Tidings; links in mails begin with it"`
	// AppURL is the application's own, for the paths of actions and its page of preferences.
	AppURL string `name:"app-url" help:"URL of your application: actions that are paths lead there"`
	// PreferencesURL is the page where people say what they want to be told and how.
	PreferencesURL string `name:"preferences-url" help:"URL of the page where people choose their notifications, shown below mails; empty for none"`
	// Brand is the name that mails and pages show.
	Brand string `name:"brand" default:"Tidings" help:"name that mails and pages show"`
	// MailSecrets seal what comes back: links to unsubscribe and return paths.
	MailSecrets []telemetry.Secret `name:"mail-secrets" help:"secrets that seal unsubscribe links and return paths, at least 32 bytes each: the first seals, all are accepted; empty for neither"`
	// BounceDomain receives bounces as bounce+…@domain, on BounceListen, an SMTP listener,
	// or in BounceMaildir. BounceHooks are providers that report them.
	BounceDomain  string             `name:"bounce-domain" help:"domain whose bounce+…@ addresses are the return paths of mails; empty for mail-from"`
	BounceListen  string             `name:"bounce-listen" help:"address of an SMTP listener for bounces; empty for none"`
	BounceMaildir string             `name:"bounce-maildir" help:"Maildir in which bounces arrive; empty for none"`
	BounceHooks   []telemetry.Secret `name:"bounce-hooks" help:"providers that report bounces to /v1/bounces/:name, each name=kind:secret; kinds: standard, sendgrid"`

	// Templates is a directory with templates beside the built-in ones, Categories a
	// JSON file with the categories of notifications in place of the built-in ones.
	Templates  string `name:"templates" help:"directory of templates; they go before the built-in ones"`
	Categories string `name:"categories" help:"JSON file with the categories of notifications; empty for the built-in ones"`
	// NotificationsAge is how long it is known what became of a notification. InboxItems
	// and InboxAge are what each inbox keeps.
	NotificationsAge time.Duration `name:"notifications-age" default:"168h" help:"how long it is known what became of a notification"`
	InboxItems       int           `name:"inbox-items" default:"200" help:"how many notifications an inbox keeps"`
	InboxAge         time.Duration `name:"inbox-age" default:"2160h" help:"how long an inbox keeps a notification"`
	// Mailbox is where the development mailbox listens for mail; only dev has one.
	Mailbox string `name:"mailbox" default:"127.0.0.1:1025" help:"address on which the development mailbox takes mail; only dev has one"`

	// EventsAge, EventsPerTopic and EventsBytes bound the event log. TailBytes is what
	// an edge keeps of it in memory.
	EventsAge      time.Duration `name:"events-age" default:"24h" help:"how long events are kept"`
	EventsPerTopic int           `name:"events-per-topic" default:"1000" help:"how many events are kept for each topic"`
	EventsBytes    Size          `name:"events-bytes" default:"1GiB" help:"bytes of events kept on disk"`
	TailBytes      Size          `name:"tail-bytes" default:"64MiB" help:"bytes of recent events an edge keeps in memory"`

	// Origins are the browser origins for CORS and cookies, normalised to what browsers send.
	Origins []string `name:"origins" help:"browser origins that may use the API, such as https://app.example.com"`
	// TrustedProxies may say in X-Forwarded-For who the client is.
	TrustedProxies []netip.Prefix `name:"trusted-proxies" help:"networks of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8"`
	// Hooks are the webhooks taken in.
	Hooks []Hook `name:"hooks" help:"webhooks taken in, each name=kind:secret or name=kind:topic:secret; kinds: github, alertmanager, hmac"`

	// Heartbeat is the time between signs of life on a silent stream.
	Heartbeat time.Duration `name:"heartbeat" default:"15s" help:"time between heartbeats on a stream"`
	// Drain is how long streams have to leave when the process stops.
	Drain time.Duration `name:"drain" default:"10s" help:"how long streams have to leave when the process stops"`

	// MaxConnections, MaxConnectionsPerUser and MaxConnectionsPerIP bound streams, the
	// last one with 0 for no bound. That is its default: every stream is authenticated
	// and bounded per user already, while one address may be an office, a phone
	// network or, unless TrustedProxies is set, the proxy in front of everyone.
	MaxConnections        int `name:"max-connections" default:"20000" help:"streams at once"`
	MaxConnectionsPerUser int `name:"max-connections-per-user" default:"100" help:"streams at once for each user"`
	MaxConnectionsPerIP   int `name:"max-connections-per-ip" default:"0" help:"streams at once for each client address; 0 for no limit. Set it only if clients connect directly or trusted-proxies is set"`
	// MaxTopics bounds the topics of one stream.
	MaxTopics int `name:"max-topics" default:"100" help:"topics of one stream"`

	// LogLevel is debug, info, warn or error; LogFormat is text or json.
	LogLevel  string `name:"log-level" default:"info" help:"debug, info, warn or error"`
	LogFormat string `name:"log-format" default:"text" help:"text or json"`

	// Node names this process among others; never empty after Load.
	Node string `name:"node" help:"name of this process; empty makes one of the host name and a random part"`

	// source says where each setting came from, by name.
	source map[string]Source
}

// Source says where a value came from.
type Source struct {
	// Kind is one of "default", "file", "env" and "flag".
	Kind string
	// Name is the variable, the flag or the file with the key; "" for a default.
	Name string
}

// String names the source for people: "TIDINGS_HTTP", "--http", "default".
func (s Source) String() string {
	if s.Name == "" {
		return s.Kind
	}
	return s.Name
}

// Source returns where the setting came from; the zero Source if there is none of
// this name. The name is the flag's: "events-age".
func (s *Settings) Source(name string) Source { return s.source[name] }
