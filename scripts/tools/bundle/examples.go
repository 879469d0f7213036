package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// client is the package whose examples these are.
const client = "shared/client"

// examples builds the example pages of the browser package into dir, as their users
// would: from the committed bundles, found by the package's own exports. React is the
// one for development, whose strict mode mounts everything twice.
func examples(root, dir string) error {
	pkg := filepath.Join(root, client)
	if _, err := os.Stat(filepath.Join(pkg, "node_modules")); err != nil {
		return fmt.Errorf("%s: %w", client, errDependencies)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: filepath.Join(pkg, "examples"),
		EntryPoints:   []string{"react/main.tsx"},
		Outbase:       ".",
		Outdir:        dir,
		Write:         true,
		Bundle:        true,
		Splitting:     true,
		Format:        api.FormatESModule,
		Target:        api.ES2022,
		Define:        map[string]string{"process.env.NODE_ENV": `"development"`},
		// The one of the directory leads to the sources.
		TsconfigRaw: `{"compilerOptions": {"jsx": "react-jsx"}}`,
		LogLevel:    api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return fmt.Errorf("esbuild: %d errors in %s/examples", len(result.Errors), client)
	}
	bundles, err := filepath.Glob(filepath.Join(pkg, "dist", "*.js"))
	if err != nil || len(bundles) == 0 {
		return errors.Join(errStale, err)
	}
	copies := map[string]string{"plain.html": "", "bell.html": "", "react/index.html": "", "react/style.css": ""}
	for name := range copies {
		copies[name] = filepath.Join(pkg, "examples", name)
	}
	for _, path := range bundles {
		copies[filepath.Join("tidings", filepath.Base(path))] = path
	}
	for name, from := range copies {
		if err := copyFile(filepath.Join(dir, name), from); err != nil {
			return fmt.Errorf("examples: %w", err)
		}
	}
	return nil
}

// copyFile copies a small file and makes its directory.
func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}
