package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// target is one bundle of the repository.
type target struct {
	// name is what the report calls it.
	name string
	// web is the directory of the sources, relative to the repository's root.
	web string
	// dist is the directory of the output, relative to the repository's root.
	dist string
	// entry is the first source below web/src; the output has its name and ".js".
	entry string
	// output is the base name of the bundle without extension.
	output string
	// pages are files below web/src that are copied; in .html ones, links to
	// assets get the hash of their content.
	pages []string
	// assets is the address below which the server serves dist.
	assets string
	// libraries are the npm packages inside the bundle, whose licences go with it.
	libraries []string
	// budget bounds the gzipped sum of JavaScript and CSS in bytes.
	budget int
}

// targets lists everything this command builds.
func targets() []target {
	return []target{{
		name:      "console",
		web:       "services/console/web",
		dist:      "services/console/dist",
		entry:     "main.tsx",
		output:    "app",
		pages:     []string{"index.html", "favicon.svg"},
		assets:    "/console/assets/",
		libraries: []string{"preact", "uplot"},
		// An operator opens the page over a bad line on a bad day: 60 kB is half a
		// second at 1 Mbit/s.
		budget: 60_000,
	}}
}

// findRoot returns the repository's root: the nearest directory above that holds
// the sources of every target.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working directory: %w", err)
	}
	for {
		missing := slices.ContainsFunc(targets(), func(t target) bool {
			_, err := os.Stat(filepath.Join(dir, t.web, "package.json"))
			return err != nil
		})
		if !missing {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no directory above the working directory holds %s", targets()[0].web)
		}
		dir = parent
	}
}
