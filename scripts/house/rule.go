package house

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is one place that breaks a rule.
type Finding struct {
	// File is the path of the file or directory, relative to the root.
	File string
	// Line is the line in File, 1 where the file as a whole is meant.
	Line int
	// Rule is the name of the broken rule.
	Rule string
	// Text says what is wrong and what to do instead.
	Text string
}

// String is the finding as one line that editors can jump to.
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Text) }

// Rule is one rule of the house.
type Rule struct {
	// Name is one word, used in findings and as the name of a test.
	Name string
	// Says is the rule in a sentence.
	Says string

	check func(t *Tree, report reporter)
}

// reporter takes a finding of the rule that is being checked.
type reporter func(file string, line int, format string, args ...any)

// Check applies the rule and returns its findings in the order of files and lines.
func (r Rule) Check(t *Tree) []Finding {
	var found []Finding
	r.check(t, func(file string, line int, format string, args ...any) {
		found = append(found, Finding{File: file, Line: line, Rule: r.Name, Text: fmt.Sprintf(format, args...)})
	})
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return found
}

// Rules returns all rules of the house.
func Rules() []Rule {
	return []Rule{
		{"syntax", "Go files parse.", checkSyntax},
		{"floors", "Imports go down only, and services never import each other.", checkFloors},
		{"standard", "The lowest floor imports the standard library only.", checkStandard},
		{"kits", "Test kits are imported by tests alone.", checkKits},
		{"walls", "A vendor's package is imported in its home only.", checkWalls},
		{"files", "A Go file has at most 400 lines.", checkFiles},
		{"functions", "A function has at most 60 lines.", checkFunctions},
		{"packages", "A package has at most 2,000 lines, tests apart.", checkPackages},
		{"stories", "A package has a comment of at least two sentences.", checkStories},
		{"concurrency", "A package that starts goroutines has a section on concurrency in its comment.", checkConcurrency},
		{"documented", "Every exported name is documented.", checkDocumented},
		{"init", "There is no func init.", checkInit},
		{"names", "No file or package has a name that could hold anything.", checkNames},
		{"sleep", "Tests wait for conditions or run on virtual time.", checkSleep},
		{"skip", "Tests never skip.", checkSkip},
		{"readme", "Every room has a README.", checkReadme},
		{"layout", "The top level is fixed.", checkLayout},
		{"machine", "Nothing names the machine it was written on.", checkMachine},
	}
}

// checkSyntax reports files that the other rules could not look into.
func checkSyntax(t *Tree, report reporter) {
	for _, f := range t.Files {
		if f.Err != nil {
			report(f.Path, 1, "does not parse: %v", f.Err)
		}
	}
}
