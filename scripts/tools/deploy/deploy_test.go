// Package deploy_test reads the files that put Tidings on machines, as the programs
// that they are for would read them. No container is started: what is checked is
// that every file parses, that it names only files that exist, and that a secret
// which was forgotten is an error and no default.
package deploy_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"
)

// root is the repository, seen from this package.
const root = "../../.."

// project reads compose.yaml in the given environment, as `docker compose config`
// with all profiles would.
func project(ctx context.Context, env ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "compose.yaml")},
		cli.WithEnv(env), cli.WithProfiles([]string{"*"}), cli.WithInterpolation(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// TestCompose reads compose.yaml with its secrets set.
func TestCompose(t *testing.T) {
	t.Parallel()
	p, err := project(t.Context(), "TIDINGS_JWT_SECRET=s", "NATS_PASSWORD=n")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("%s mounts a file that is not there: %v", s.Name, err)
			}
		}
		for _, port := range s.Ports {
			if s.Name != "caddy" && port.HostIP != "127.0.0.1" {
				t.Errorf("%s has port %s open to the world; only the door may", s.Name, port.Published)
			}
		}
		if s.Build == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s is built from a file that is not there: %v", s.Name, err)
		}
		if v, net := s.Environment["TIDINGS_TRUSTED_PROXIES"], p.Networks["default"].Ipam.Config[0].Subnet; v == nil || *v != net {
			t.Errorf("%s trusts other proxies than those in %s", s.Name, net)
		}
		for _, name := range []string{"TIDINGS_JWT_SECRET", "TIDINGS_NATS"} {
			if v := s.Environment[name]; v == nil || *v == "" {
				t.Errorf("%s runs without %s", s.Name, name)
			}
		}
	}
}

// TestComposeAsksForSecrets leaves out one secret at a time.
func TestComposeAsksForSecrets(t *testing.T) {
	t.Parallel()
	for missing, env := range map[string]string{"TIDINGS_JWT_SECRET": "NATS_PASSWORD=n", "NATS_PASSWORD": "TIDINGS_JWT_SECRET=s"} {
		_, err := project(t.Context(), env)
		if err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: error %v, want one that names it", missing, err)
		}
	}
}

// TestNATS reads nats.conf as the server does, with credentials from the environment.
func TestNATS(t *testing.T) {
	t.Setenv("NATS_USER", "tidings")
	t.Setenv("NATS_PASSWORD", "n1234")
	o, err := server.ProcessConfigFile(filepath.Join(root, "deploy/nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if o.Username != "tidings" || o.Password != "n1234" {
		t.Errorf("credentials are %q and %q, not the environment's", o.Username, o.Password)
	}
	if !o.JetStream || o.StoreDir != "/data" || o.JetStreamMaxStore <= 0 || o.JetStreamMaxMemory <= 0 {
		t.Errorf("JetStream %v in %q with %d and %d bytes, want it bounded in /data",
			o.JetStream, o.StoreDir, o.JetStreamMaxStore, o.JetStreamMaxMemory)
	}
	if o.MaxPayload != 1<<20 || o.HTTPPort != 8222 {
		t.Errorf("max_payload %d, monitoring on %d; want 1 MiB and 8222", o.MaxPayload, o.HTTPPort)
	}
}

// TestNATSAsksForCredentials reads nats.conf without them: an open server is an error.
func TestNATSAsksForCredentials(t *testing.T) {
	t.Setenv("NATS_USER", "tidings")
	if err := os.Unsetenv("NATS_PASSWORD"); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ProcessConfigFile(filepath.Join(root, "deploy/nats.conf")); err == nil {
		t.Error("nats.conf was taken without NATS_PASSWORD")
	}
}
