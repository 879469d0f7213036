package house

import (
	"bytes"
	"slices"
	"strings"
)

// topLevel are the names that the root may hold beside dot files. A newcomer
// reads this list first, so it stays short.
func topLevel() []string {
	return []string{
		"services", "shared", "deploy", "scripts",
		"go.mod", "go.sum", "Taskfile.yml", "compose.yaml", "README.md", "LICENSE",
	}
}

// checkLayout looks for anything else in the root.
func checkLayout(t *Tree, report reporter) {
	seen := map[string]bool{}
	for _, f := range t.Files {
		name, _, _ := strings.Cut(f.Path, "/")
		if !seen[name] && !strings.HasPrefix(name, ".") && !slices.Contains(topLevel(), name) {
			report(name, 1, "the root holds %s and dot files only", strings.Join(topLevel(), ", "))
		}
		seen[name] = true
	}
}

// checkReadme looks for rooms that don't say what comes in, what goes out and
// what they promise when killed.
func checkReadme(t *Tree, report reporter) {
	rooms, told := []string{}, map[string]bool{}
	for _, f := range t.Files {
		r := room(f.Path)
		if !within(r, "services") && r != "shared/client" || r == f.Path {
			continue
		}
		if !slices.Contains(rooms, r) {
			rooms = append(rooms, r)
		}
		if f.Path == r+"/README.md" && len(bytes.TrimSpace(f.Data)) > 0 {
			told[r] = true
		}
	}
	for _, r := range rooms {
		if !told[r] {
			report(r, 1, "no README.md: what comes in, what goes out, what it promises when killed")
		}
	}
}

// machineWords are strings that only a particular machine or network knows:
// directories of the people who built this, and hosts of package registries. A
// build takes its registry from the environment, a lock file needs no addresses
// (npm install --omit-lockfile-registry-resolved). The strings are put together
// here because the rule reads this file too.
func machineWords() []string {
	dir := func(name string) string { return "/" + name + "/" }
	host := func(labels ...string) string { return strings.Join(labels, ".") }
	return []string{
		dir("work"), dir("root"), dir("farm"),
		host("proxy", "golang", "org"), host("sum", "golang", "org"), host("goproxy", "io"), host("goproxy", "cn"),
		host("registry", "npmjs", "org"), host("registry", "yarnpkg", "com"), host("registry", "npmmirror", "com"),
		host("deb", "debian", "org"), host("security", "debian", "org"), host("archive", "ubuntu", "com"),
		host("pypi", "org"), host("files", "pythonhosted", "org"), host("static", "crates", "io"),
	}
}

// checkMachine looks for them in all text files.
func checkMachine(t *Tree, report reporter) {
	for _, f := range t.Files {
		if bytes.IndexByte(f.Data, 0) >= 0 {
			continue // not text
		}
		for _, word := range machineWords() {
			if i := bytes.Index(f.Data, []byte(word)); i >= 0 {
				report(f.Path, 1+bytes.Count(f.Data[:i], []byte("\n")), "contains %q, which only one machine or network knows", word)
			}
		}
	}
}
