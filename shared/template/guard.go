package template

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"reflect"
	"strings"
	"text/template/parse"
	"time"
)

// Bounds of a rendering.
const (
	// MaxHTML bounds a mail's HTML in bytes. Gmail cuts a mail off at about 100 KiB, so
	// that more than this is a mistake.
	MaxHTML = 256 << 10
	// MaxText bounds titles, bodies and a mail's plain text in bytes.
	MaxText = 64 << 10
	// MaxSteps bounds rounds of loops and calls of templates, all in all. A digest of 500
	// items needs a few thousand; whatever needs more, loops.
	MaxSteps = 20_000
	// MaxTime bounds how long one rendering may take, which is less than a millisecond as
	// a rule (BenchmarkMail: 0.23 ms).
	MaxTime = 2 * time.Second

	// tickName and commentName are functions that only the loader writes down.
	tickName, commentName = "_tick", "_comment"
)

// errLong says that a rendering became too large.
var errLong = errors.New("the output is too long")

// capped is a writer that fails where the bound is.
type capped struct {
	b    strings.Builder
	most int
}

// Write keeps p. Errors are errLong.
func (c *capped) Write(p []byte) (int, error) {
	if c.b.Len()+len(p) > c.most {
		return 0, errLong
	}
	return c.b.Write(p)
}

var _ io.Writer = (*capped)(nil)

// keepComments replaces each HTML comment by a call that gives it back, because
// html/template would drop it. Comments are appended to list. An action in a comment
// would not be escaped for where it stands, so it is refused.
func keepComments(src string, list []template.HTML) (string, []template.HTML, error) {
	const open, end = "<!--", "-->"
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(src, open)
		b.WriteString(before)
		if !ok {
			return b.String(), list, nil
		}
		inside, after, ok := strings.Cut(rest, end)
		switch {
		case !ok:
			return "", nil, errors.New("a comment has no end")
		case strings.Contains(inside, "{{"):
			return "", nil, fmt.Errorf("the comment %q has an action in it, which nothing would escape", clip(30, line(inside)))
		}
		fmt.Fprintf(&b, "{{%s %d}}", commentName, len(list))
		list = append(list, template.HTML(open+inside+end)) //nolint:gosec // it is the operator's own
		src = after
	}
}

// arm has every round of a loop, and every call of the template, count as a step. It
// does so in the parsed template, where no author can forget it.
func arm(tree *parse.Tree) error {
	const src = "{{$_ := " + tickName + "}}"
	trees, err := parse.Parse("tick", src, "", "", map[string]any{tickName: struct{}{}})
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	tick := trees["tick"].Root.Nodes[0]
	prepend := func(l *parse.ListNode) { l.Nodes = append([]parse.Node{tick.Copy()}, l.Nodes...) }
	visit(tree.Root, func(n parse.Node) {
		if r, ok := n.(*parse.RangeNode); ok {
			prepend(r.List)
		}
	})
	prepend(tree.Root)
	return nil
}

// visit calls f for every node under n that can hold others or is a command.
func visit(n parse.Node, f func(parse.Node)) {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return
	}
	f(n)
	branch := func(b *parse.BranchNode) {
		visit(b.Pipe, f)
		visit(b.List, f)
		visit(b.ElseList, f)
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, c := range n.Nodes {
			visit(c, f)
		}
	case *parse.ActionNode:
		visit(n.Pipe, f)
	case *parse.TemplateNode:
		visit(n.Pipe, f)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			visit(c, f)
		}
	case *parse.CommandNode:
		for _, a := range n.Args {
			visit(a, f)
		}
	case *parse.ChainNode:
		visit(n.Node, f)
	}
}
