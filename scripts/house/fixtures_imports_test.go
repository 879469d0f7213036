package house_test

// importing is a Go file of a package that imports the paths, one a line from
// line 3 on.
func importing(pkg string, paths ...string) string {
	text := "package " + pkg + "\n\n"
	for _, p := range paths {
		text += "import _ \"" + p + "\"\n"
	}
	return text
}

func importFixtures() []fixture {
	const (
		natsServer = "github.com/nats-io/nats-server/v2/server"
		natsGo     = "github.com/nats-io/nats.go"
		jetstream  = "github.com/nats-io/nats.go/jetstream"
		jwt        = "github.com/golang-jwt/jwt/v5"
		echo       = "github.com/labstack/echo/v4"
		mail       = "github.com/wneessen/go-mail"
	)
	return []fixture{
		{"floors", "down", map[string]string{
			"shared/event/a.go":            importing("event", "tidings/shared/subject", "fmt"),
			"shared/stream/a.go":           importing("stream", "tidings/shared/natsx", "tidings/shared/stream/streamtest", "tidings/shared/auth"),
			"shared/auth/a_test.go":        importing("auth_test", "tidings/shared/testkit", "tidings/shared/auth"),
			"shared/natsx/a_test.go":       importing("natsx_test", "tidings/shared/stream/streamtest"),
			"services/edge/a.go":           importing("edge", "tidings/shared/worker", "tidings/services/edge/sink"),
			"services/app/a.go":            importing("app", "tidings/services/edge", "tidings/services/console"),
			"services/tidings/main.go":     importing("main", "tidings/services/app", "tidings/shared/config", "tidings/scripts/bench", "tidings/scripts/bench/load"),
			"scripts/bench/a.go":           importing("bench", "tidings/shared/event", "tidings/scripts/bench/load"),
			"scripts/tools/go.mod":         "module tidings/scripts/tools\n",
			"scripts/tools/bundle/main.go": importing("main", "tidings/scripts/tools/x"),
		}, nil},
		{"floors", "up and sideways", map[string]string{
			"shared/subject/a.go":     importing("subject", "tidings/shared/event"),
			"shared/auth/a.go":        importing("auth", "tidings/shared/telemetry", "tidings/shared/httpx", "tidings/shared/config"),
			"shared/httpx/a_test.go":  importing("httpx_test", "tidings/shared/stream"),
			"shared/worker/a.go":      importing("worker", "tidings/shared/stream"),
			"shared/stream/x/a.go":    importing("x", "tidings/services/edge"),
			"shared/lifecycle/a.go":   importing("lifecycle", "tidings/scripts/house"),
			"shared/telemetry/a.go":   importing("telemetry", "tidings/shared/worker/loop"),
			"shared/telemetry/b.go":   importing("telemetry", "tidings"),
			"shared/natsx/inner/a.go": importing("inner", "tidings/shared/nowhere"),
		}, []string{
			"shared/auth/a.go:4", "shared/auth/a.go:5", "shared/httpx/a_test.go:3", "shared/lifecycle/a.go:3",
			"shared/natsx/inner/a.go:3", "shared/stream/x/a.go:3", "shared/subject/a.go:3",
			"shared/telemetry/a.go:3", "shared/telemetry/b.go:3", "shared/worker/a.go:3",
		}},
		{"floors", "services", map[string]string{
			"services/edge/a.go":       importing("edge", "tidings/services/producer"),
			"services/edge/a_test.go":  importing("edge_test", "tidings/services/console/page"),
			"services/app/a.go":        importing("app", "tidings/services/tidings"),
			"services/tidings/main.go": importing("main", "tidings/services/edge", "tidings/scripts/house"),
			"scripts/bench/a.go":       importing("bench", "tidings/services/app"),
			"services/app/b.go":        importing("app", "tidings/scripts/bench"),
		}, []string{
			"scripts/bench/a.go:3", "services/app/a.go:3", "services/app/b.go:3", "services/edge/a.go:3",
			"services/edge/a_test.go:3", "services/tidings/main.go:3", "services/tidings/main.go:4",
		}},
		{"floors", "a room on no floor", map[string]string{
			"shared/attic/a.go": importing("attic"),
		}, []string{"shared/attic/a.go:1"}},

		{"standard", "std and the floor below", map[string]string{
			"shared/event/a.go":   importing("event", "encoding/json", "tidings/shared/subject"),
			"shared/config/a.go":  importing("config", "github.com/BurntSushi/toml"),
			"services/edge/a.go":  importing("edge", echo),
			"shared/client/a.go":  importing("client", "embed"),
			"shared/subject/b.md": "import golang.org/x/text\n",
		}, nil},
		{"standard", "a module, also in a test", map[string]string{
			"shared/event/a.go":        importing("event", "fmt", "golang.org/x/text/width"),
			"shared/subject/a_test.go": importing("subject_test", "go.uber.org/goleak"),
		}, []string{"shared/event/a.go:4", "shared/subject/a_test.go:3"}},

		{"kits", "tests and kits", map[string]string{
			"services/edge/a_test.go":       importing("edge_test", "tidings/shared/testkit", "tidings/shared/stream/streamtest"),
			"shared/stream/streamtest/a.go": importing("streamtest", "tidings/shared/testkit"),
			"services/latest/a.go":          importing("latest", "tidings/services/latest/inner", "net/http/httptest"),
		}, nil},
		{"kits", "product code", map[string]string{
			"services/edge/a.go": importing("edge", "tidings/shared/testkit"),
			"shared/worker/a.go": importing("worker", "fmt", "tidings/shared/stream/streamtest"),
		}, []string{"services/edge/a.go:3", "shared/worker/a.go:4"}},

		{"walls", "at home", map[string]string{
			"shared/natsx/a.go":       importing("natsx", natsServer, natsGo),
			"shared/natsx/a_test.go":  importing("natsx_test", natsServer),
			"shared/auth/a.go":        importing("auth", jwt, "github.com/MicahParks/keyfunc/v3", "github.com/MicahParks/jwkset"),
			"services/mailer/a.go":    importing("mailer", mail),
			"services/console/a.go":   importing("console", echo),
			"shared/httpx/a.go":       importing("httpx", echo),
			"services/edge/a.go":      importing("edge", jetstream),
			"shared/httpx/a_test.go":  importing("httpx_test", natsGo),
			"shared/stream/a.go":      importing("stream", jetstream, "github.com/nats-io/nats.golf"),
			"scripts/tools/go.mod":    "module tidings/scripts/tools\n",
			"scripts/tools/e2e/nc.go": importing("e2e", natsGo),
		}, nil},
		{"walls", "abroad", map[string]string{
			"shared/testkit/a.go":        importing("testkit", natsGo, natsServer),
			"shared/stream/a_test.go":    importing("stream_test", natsServer),
			"services/edge/a.go":         importing("edge", jwt, mail),
			"services/edge/a_test.go":    importing("edge_test", jwt),
			"services/producer/a.go":     importing("producer", jetstream),
			"shared/auth/a.go":           importing("auth", echo),
			"shared/auth/a_test.go":      importing("auth_test", echo),
			"shared/httpx/a.go":          importing("httpx", "github.com/MicahParks/keyfunc/v3"),
			"services/mailer/box/b.go":   importing("box", mail+"/log"),
			"services/mailerless/box.go": importing("mailerless", mail),
		}, []string{
			"services/edge/a.go:3", "services/edge/a.go:4", "services/edge/a_test.go:3", "services/mailerless/box.go:3",
			"services/producer/a.go:3", "shared/auth/a.go:3", "shared/auth/a_test.go:3", "shared/httpx/a.go:3",
			"shared/stream/a_test.go:3", "shared/testkit/a.go:4",
		}},
	}
}
