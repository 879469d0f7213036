package house_test

import (
	"os"
	"path/filepath"
	"testing"

	"tidings/scripts/house"
)

// TestHouse applies every rule to the repository itself.
func TestHouse(t *testing.T) {
	t.Parallel()
	tree := repository(t)
	for _, rule := range house.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			for _, f := range rule.Check(tree) {
				t.Error(f)
			}
			if t.Failed() {
				t.Logf("the rule: %s", rule.Says)
			}
		})
	}
}

// TestCommentRatio reports, with -v, how much of each package is comment.
func TestCommentRatio(t *testing.T) {
	t.Parallel()
	tree := repository(t)
	for _, p := range tree.Packages {
		if comments, lines := tree.CommentRatio(p); lines > 0 {
			t.Logf("%3d %% of %5d lines are comments in %s", 100*comments/lines, lines, p.Dir)
		}
	}
}

// repository loads the tree this test lies in, and makes sure that it is the
// whole of it: rules on an empty tree find nothing.
func repository(t *testing.T) *house.Tree {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := house.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if tree.Module != "tidings" || len(tree.Packages) < 3 {
		t.Fatalf("%s is not the repository: module %q, %d packages", root, tree.Module, len(tree.Packages))
	}
	return tree
}
