package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"tidings/services/mailbox"
	"tidings/services/mailer"
	"tidings/services/mailer/bounce"
	"tidings/services/mailer/dkim"
	"tidings/services/mailer/smtp"
	"tidings/services/mailer/unsubscribe"
	"tidings/services/notifier"
	"tidings/services/notifier/inbox"
	"tidings/services/notifier/people"
	"tidings/services/notifier/route"
	"tidings/shared/auth"
	"tidings/shared/config"
	"tidings/shared/event"
	"tidings/shared/ledger"
	"tidings/shared/lifecycle"
	"tidings/shared/stream"
	"tidings/shared/subject"
	"tidings/shared/suppress"
	"tidings/shared/telemetry"
	"tidings/shared/template"
	"tidings/shared/worker"
	"tidings/shared/worker/backoff"
)

// notices is what the services of notifications share; zero if none of them runs.
type notices struct {
	queue      *worker.Queue
	jobs       *worker.Metrics
	ledger     *ledger.Ledger
	suppressed *suppress.List
	templates  func() *template.Set
	categories route.Categories
	inbox      *inbox.Store
	mailbox    *mailbox.Mailbox // nil except in development
}

// MailboxURL returns where the development mailbox takes mail, "" if there is none.
func (a *App) MailboxURL() string {
	if a.notices.mailbox == nil {
		return ""
	}
	return "smtp://" + a.notices.mailbox.Addr().String()
}

// openNotifications opens what notifications travel on. It comes before the event log,
// which draws from the inboxes.
func (a *App) openNotifications(ctx context.Context, space subject.Space) (err error) {
	if !a.has(Notifier) && !a.has(Mailer) && !a.has(Console) {
		return nil
	}
	s, n := a.opts.Settings, &a.notices
	jobs := worker.DefaultLimits()
	jobs.Replicas, jobs.ReceiptsAge = s.Replicas, s.NotificationsAge
	if n.queue, err = worker.Open(ctx, a.nats, space, jobs); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if !a.has(Notifier) && !a.has(Mailer) {
		return nil
	}
	n.jobs = worker.NewMetrics(a.metrics)
	records := ledger.DefaultLimits()
	records.Replicas, records.Age = s.Replicas, s.NotificationsAge
	if n.ledger, err = ledger.Open(ctx, a.nats, space, records); err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	if n.suppressed, err = suppress.Open(ctx, a.nats, space, s.Replicas); err != nil {
		return fmt.Errorf("suppression list: %w", err)
	}
	if n.templates, err = a.openTemplates(); err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	if n.categories, err = readCategories(s.Categories); err != nil {
		return fmt.Errorf("categories: %w", err)
	}
	boxes := inbox.DefaultLimits()
	boxes.Replicas, boxes.PerUser, boxes.Age, boxes.EventsAge, boxes.Log = s.Replicas, s.InboxItems, s.InboxAge, s.EventsAge, a.opts.Log
	if n.inbox, err = inbox.Open(ctx, a.nats, space, boxes); err != nil {
		return fmt.Errorf("inboxes: %w", err)
	}
	return nil
}

// openTemplates loads the templates; in development they are loaded again when a file
// changes.
func (a *App) openTemplates() (func() *template.Set, error) {
	layers := []fs.FS{template.Builtin()}
	if dir := a.opts.Settings.Templates; dir != "" {
		layers = append(layers, os.DirFS(dir))
	}
	if !a.opts.Dev || len(layers) == 1 {
		set, err := template.Load(layers...)
		return func() *template.Set { return set }, err
	}
	live, err := template.NewLive(layers...)
	if err != nil {
		return nil, err
	}
	return func() *template.Set {
		set, err := live.Set()
		if err != nil {
			a.opts.Log.Warn("templates are broken; the last good ones are used", "err", err)
		}
		return set
	}, nil
}

// wireNotifications makes the services of notifications.
func (a *App) wireNotifications(ctx context.Context, space subject.Space, authn *auth.Authenticator, events stream.Log, router *echo.Echo, ready *telemetry.Health) error {
	providers := a.opts.Settings.SMTP
	if a.opts.Dev {
		box, err := a.openMailbox(space, authn, events)
		if err != nil {
			return err
		}
		a.notices.mailbox = box
		box.Routes(router)
		a.services = append(a.services, lifecycle.Task{Name: "mailbox", Run: box.Run})
		if len(providers) == 0 {
			providers = []telemetry.Secret{telemetry.Secret(box.URL())}
		}
	}
	if a.has(Notifier) {
		n, err := a.openNotifier(ctx, space, authn)
		if err != nil {
			return err
		}
		n.Routes(router)
		ready.Add(Notifier, n.Ready)
		a.services = append(a.services, lifecycle.Task{Name: Notifier, Run: n.Run})
	}
	if a.has(Mailer) {
		m, err := a.openMailer(space, providers, router)
		if err != nil {
			return err
		}
		ready.Add(Mailer, m.Ready)
		a.services = append(a.services, lifecycle.Task{Name: Mailer, Run: m.Run})
	}
	return nil
}

// openMailbox opens the development mailbox. Where nobody asked for an address it gives
// way to another program, such as a second Tidings.
func (a *App) openMailbox(space subject.Space, authn *auth.Authenticator, events stream.Log) (*mailbox.Mailbox, error) {
	s := a.opts.Settings
	cfg := mailbox.Config{
		Addr: s.Mailbox, Auth: authn, Mesh: a.mesh(space), Node: s.Node, Version: a.opts.Version,
		Publish: func(ctx context.Context, topic, kind string, data any) error {
			body, err := json.Marshal(data)
			if err != nil {
				return fmt.Errorf("json.Marshal: %w", err)
			}
			_, err = events.Append(ctx, event.Event{Topic: subject.Topic(topic), Type: kind, Data: body}, "")
			return err
		},
	}
	log := a.opts.Log.With("service", "mailbox")
	box, err := mailbox.New(cfg, log, a.metrics)
	if errors.Is(err, syscall.EADDRINUSE) && s.Source("mailbox").Kind == "default" {
		host, _, _ := net.SplitHostPort(s.Mailbox) // it has been checked
		cfg.Addr = net.JoinHostPort(host, "0")
		box, err = mailbox.New(cfg, log, a.metrics)
	}
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	a.stack.OnStop("mailbox", func(context.Context) error { return box.Close() })
	return box, nil
}

// readCategories reads the file with the categories, or returns those that are built in.
func readCategories(file string) (route.Categories, error) {
	if file == "" {
		return route.DefaultCategories(), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return route.ParseCategories(data)
}

// openNotifier makes the notifier.
func (a *App) openNotifier(ctx context.Context, space subject.Space, authn *auth.Authenticator) (*notifier.Notifier, error) {
	s := a.opts.Settings
	n, err := notifier.New(ctx, notifier.Config{
		Conn: a.nats, Space: space, Auth: a.localAuth(authn), Queue: a.notices.queue, Ledger: a.notices.ledger, Suppressed: a.notices.suppressed,
		Templates: a.notices.templates, Inbox: a.notices.inbox, Categories: a.notices.categories, Channels: []route.Channel{route.Inbox, route.Mail},
		Replicas: s.Replicas, Mesh: a.mesh(space), Node: s.Node, Version: a.opts.Version,
	}, a.opts.Log.With("service", Notifier), a.metrics, a.notices.jobs)
	if err != nil {
		return nil, err
	}
	if a.opts.Dev {
		if err := n.Introduce(ctx, devPeople()); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// devPeople are who exists in development: the one at the console, and some to write to.
func devPeople() []people.Record {
	return []people.Record{
		{Person: route.Person{User: "dev", Name: "Dev", Email: "dev@example.com", Locale: "en", TZ: "UTC"}, Topics: []subject.Topic{"room.ops"}},
		{Person: route.Person{User: "ann", Name: "Ann", Email: "ann@example.com", Locale: "en", TZ: "Europe/London"}, Topics: []subject.Topic{"room.ops"}},
		{Person: route.Person{User: "bob", Name: "Bob", Email: "bob@example.com", Locale: "de", TZ: "Europe/Berlin"}, Topics: []subject.Topic{"room.ops"}},
		{Person: route.Person{User: "eve", Name: "Ева", Email: "eve@example.com", Locale: "ru", TZ: "Asia/Yekaterinburg"}},
	}
}

// openMailer makes the mailer, and the links to unsubscribe if there is what they need.
func (a *App) openMailer(space subject.Space, providers []telemetry.Secret, router *echo.Echo) (*mailer.Mailer, error) {
	s := a.opts.Settings
	cfg := mailer.Config{
		Providers: providers, From: s.MailFrom, ReplyTo: s.MailReplyTo, Domain: s.MailDomain,
		AppURL: cmp.Or(s.AppURL, s.PublicURL), PreferencesURL: s.PreferencesURL, Brand: s.Brand,
		Templates: a.notices.templates, Suppressed: a.notices.suppressed, Jobs: a.notices.jobs,
		Mesh: a.mesh(space), Node: s.Node, Version: a.opts.Version,
	}
	cfg.Backoff = backoff.Default()
	cfg.Backoff.Base = s.MailRetry
	var err error
	if cfg.PerDomain, err = limitOf(s.MailPerDomain); err != nil {
		return nil, fmt.Errorf("mail-per-domain: %w", err)
	}
	if cfg.PerRecipient, err = limitOf(s.MailPerRecipient); err != nil {
		return nil, fmt.Errorf("mail-per-recipient: %w", err)
	}
	public, secrets := s.PublicURL, s.MailSecrets
	if a.opts.Dev {
		cfg.From = cmp.Or(cfg.From, "Tidings <tidings@example.com>")
		cfg.AppURL, public = cmp.Or(cfg.AppURL, a.URL()), cmp.Or(public, a.URL())
		if len(secrets) == 0 {
			sum := sha256.Sum256([]byte("mail " + s.JWTSecret.Reveal()))
			secrets = []telemetry.Secret{telemetry.Secret(hex.EncodeToString(sum[:]))}
		}
	}
	for _, key := range s.DKIM {
		k, err := readDKIM(key)
		if err != nil {
			return nil, err
		}
		cfg.Keys = append(cfg.Keys, k)
	}
	if len(secrets) > 0 && public != "" {
		links, err := unsubscribe.New(unsubscribe.Config{
			Keys: secrets, PublicURL: public, Brand: s.Brand, Actor: unsubscribe.OnList(a.notices.suppressed),
			Label: func(category string) string { return cmp.Or(a.notices.categories[category].Title, category) },
		})
		if err != nil {
			return nil, fmt.Errorf("unsubscribe: %w", err)
		}
		links.Routes(router)
		cfg.Unsubscribe = links.URL
	}
	if s.BounceDomain != "" && len(secrets) > 0 {
		seals, err := a.openBounces(secrets, router)
		if err != nil {
			return nil, fmt.Errorf("bounces: %w", err)
		}
		cfg.Seals = seals
	}
	return mailer.New(cfg, a.notices.queue, a.notices.ledger, a.opts.Log.With("service", Mailer), a.metrics)
}

// limitOf makes a limit of a rate: that many at once, and as many in each such time.
func limitOf(rate string) (smtp.Limit, error) {
	r, err := config.ParseRate(rate)
	if err != nil || r.Count == 0 {
		return smtp.Limit{}, err
	}
	return smtp.Limit{Every: r.Per / time.Duration(r.Count), Burst: r.Count}, nil
}

// openBounces takes in what comes back of the mail, by every way that is set, and returns
// the seals by which it is known again.
func (a *App) openBounces(secrets []telemetry.Secret, router *echo.Echo) (*bounce.Seals, error) {
	s := a.opts.Settings
	seals, err := bounce.NewSeals(s.BounceDomain, secrets)
	if err != nil {
		return nil, err
	}
	apply, err := bounce.NewApplier(bounce.ApplyConfig{List: a.notices.suppressed, Timeline: bounce.OnLedger(a.notices.ledger)})
	if err != nil {
		return nil, err
	}
	cfg := bounce.Config{
		Seals: seals, Apply: apply, Maildir: bounce.Maildir{Dir: s.BounceMaildir}, SMTP: bounce.SMTP{Listen: s.BounceListen},
		Log: a.opts.Log.With("service", "bounces"), Registerer: a.metrics,
	}
	for _, secret := range s.BounceHooks {
		h, err := config.ParseBounceHook(secret)
		if err != nil {
			return nil, err
		}
		cfg.Hooks = append(cfg.Hooks, bounce.Hook{Name: h.Name, Kind: bounce.HookKind(h.Kind), Secrets: []telemetry.Secret{h.Secret}})
	}
	intake, err := bounce.New(cfg)
	if err != nil {
		return nil, err
	}
	a.stack.OnStop("bounces", func(context.Context) error { return intake.Close() })
	intake.Routes(router)
	a.services = append(a.services, lifecycle.Task{Name: "bounces", Run: intake.Run})
	return seals, nil
}

// readDKIM reads a key as the settings name it.
func readDKIM(setting string) (dkim.Key, error) {
	k, err := config.ParseDKIM(setting)
	if err != nil {
		return dkim.Key{}, err
	}
	pem, err := os.ReadFile(k.File)
	if err != nil {
		return dkim.Key{}, fmt.Errorf("DKIM key: %w", err)
	}
	return dkim.Key{Domain: k.Domain, Selector: k.Selector, PEM: telemetry.Secret(pem)}, nil
}
