package house_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"tidings/scripts/house"
)

// TestLoadIgnores checks what of a .gitignore is honoured.
func TestLoadIgnores(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{}
	for _, name := range []string{
		".git/config", "node_modules/x/a.go", "services/x/node_modules/y.go", "tidings", "services/tidings/main.go",
		"a.out", "services/x/b.out", "bin/tool", "services/bin/tool", "deploy/data/a.db", "services/deploy/data/a.db",
	} {
		fsys[name] = &fstest.MapFile{Data: []byte("package a\n")}
	}
	fsys[".gitignore"] = &fstest.MapFile{Data: []byte("# built\n/tidings\n\n*.out\nbin/\n/deploy/data/\n")}
	tree, err := house.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range tree.Files {
		got = append(got, f.Path)
	}
	want := []string{".gitignore", "services/deploy/data/a.db", "services/tidings/main.go"}
	if !slices.Equal(got, want) {
		t.Errorf("loaded %v, want %v", got, want)
	}
}

// TestLoadRefuses checks that a pattern beyond the known grammar is not passed
// over: the rules would then judge files that git doesn't track, or miss some.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"!keep", "a/**/b", "[", "/a[/"} {
		_, err := house.Load(fstest.MapFS{".gitignore": {Data: []byte("ok\n" + pattern + "\n")}})
		if err == nil || !strings.Contains(err.Error(), ".gitignore:2") {
			t.Errorf("pattern %q: error %v, want one that names .gitignore:2", pattern, err)
		}
	}
}

// TestCommentRatioCounts checks what counts as a comment: whole lines in either
// form, not what stands behind code.
func TestCommentRatioCounts(t *testing.T) {
	t.Parallel()
	f := fixture{tree: map[string]string{
		"a/a.go":      "// Package a.\npackage a\n\n/* one\ntwo */\n\nvar b = 1 // behind\n\nvar s = \"// no\"\n",
		"a/a_test.go": "// Not counted.\npackage a\n",
	}}
	tree := f.load(t)
	comments, lines := tree.CommentRatio(tree.Packages[0])
	if comments != 3 || lines != 6 {
		t.Errorf("%d of %d lines, want 3 of 6", comments, lines)
	}
}
