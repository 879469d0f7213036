package house_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"

	"tidings/scripts/house"
)

// fixture is a small tree and what one rule finds in it.
type fixture struct {
	rule string
	name string
	tree map[string]string
	want []string // "file:line"
}

// fixtures are all fixtures.
func fixtures() []fixture {
	return slices.Concat(importFixtures(), sizeFixtures(), storyFixtures(), banFixtures(), layoutFixtures())
}

// load makes a tree of the fixture's files, in a module called tidings.
func (f fixture) load(t *testing.T) *house.Tree {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module tidings\n")}}
	for name, text := range f.tree {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := house.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestRules proves of each rule what it finds and what it lets pass.
func TestRules(t *testing.T) {
	t.Parallel()
	rules := map[string]house.Rule{}
	for _, r := range house.Rules() {
		rules[r.Name] = r
	}
	for _, f := range fixtures() {
		t.Run(f.rule+"/"+f.name, func(t *testing.T) {
			t.Parallel()
			r, ok := rules[f.rule]
			if !ok {
				t.Fatalf("there is no rule %q", f.rule)
			}
			var got []string
			for _, found := range r.Check(f.load(t)) {
				if found.Rule != f.rule || found.Text == "" {
					t.Errorf("finding %+v doesn't name its rule or says nothing", found)
				}
				got = append(got, fmt.Sprintf("%s:%d", found.File, found.Line))
			}
			if !slices.Equal(got, f.want) {
				t.Errorf("found %v, want %v", got, f.want)
			}
		})
	}
}

// TestRulesCanFail asks for a tree that breaks the rule, and one that keeps it,
// for every rule.
func TestRulesCanFail(t *testing.T) {
	t.Parallel()
	for _, r := range house.Rules() {
		var breaks, keeps bool
		for _, f := range fixtures() {
			breaks = breaks || f.rule == r.Name && len(f.want) > 0
			keeps = keeps || f.rule == r.Name && len(f.want) == 0
		}
		if !breaks || !keeps {
			t.Errorf("rule %s has a fixture that breaks it: %v, one that keeps it: %v", r.Name, breaks, keeps)
		}
	}
}
