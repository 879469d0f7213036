package house_test

import "strings"

func layoutFixtures() []fixture {
	// The rule reads these tests too, so they may not spell out what it forbids.
	registry := strings.Join([]string{"registry", "npmjs", "org"}, ".")
	home := "/" + "work" + "/main"
	return []fixture{
		{"layout", "fixed", map[string]string{
			"README.md": "", "LICENSE": "", "compose.yaml": "", "Taskfile.yml": "", "go.sum": "", ".gitignore": "/tidings\n*.out\n",
			".ci/run": "", "shared/a/a.go": "package a\n", "services/a/a.go": "package a\n", "deploy/x": "", "scripts/x": "",
			"tidings": "a built binary", "cpu.out": "",
		}, nil},
		{"layout", "grown", map[string]string{
			"docs/a.md": "", "docs/b.md": "", "main.go": "package main\n", "internal/a.go": "package internal\n", "shared/docs/a.md": "",
		}, []string{"docs:1", "internal:1", "main.go:1"}},

		{"readme", "in every room", map[string]string{
			"services/edge/README.md": "# edge\n", "services/edge/a.go": "package edge\n", "services/edge/sink/a.go": "package sink\n",
			"services/notes.md": "", "shared/client/README.md": "# client\n", "shared/auth/a.go": "package auth\n",
		}, nil},
		{"readme", "missing or empty", map[string]string{
			"services/edge/README.md": " \n", "services/edge/a.go": "package edge\n",
			"services/console/web/a.ts": "", "services/console/web/README.md": "# web\n",
			"shared/client/a.ts": "",
		}, []string{"services/console:1", "services/edge:1", "shared/client:1"}},

		{"machine", "portable", map[string]string{
			"shared/a/a.go":     "package a\n\n// It works in /workspace, golang.org and npmjs.com.\n",
			"shared/a/blob.bin": "\x00" + home,
			".gitignore":        "secret.txt\n",
			"secret.txt":        home,
		}, nil},
		{"machine", "at home", map[string]string{
			"shared/a/a.go":         "package a\n\nconst dir = \"" + home + "\"\n",
			"a/package-lock.json":   "{\n\"resolved\": \"https://" + registry + "/x\"}\n",
			"a/testdata/golden.txt": "\n\n" + home + "/x\n",
			".ci/run":               "cd /" + "root" + "/x\n",
		}, []string{".ci/run:1", "a/package-lock.json:2", "a/testdata/golden.txt:3", "shared/a/a.go:3"}},
	}
}
