package house

import (
	"bytes"
	"strings"
)

// CommentRatio counts the lines of a package's product code that are comments
// and all its lines that aren't blank. The house aims at 15 to 25 %; no rule
// enforces it, because a number is no reason to write a sentence.
func (t *Tree) CommentRatio(p *Package) (comments, lines int) {
	for _, f := range p.code() {
		rows := bytes.Split(f.Data, []byte("\n"))
		for _, row := range rows {
			if len(bytes.TrimSpace(row)) > 0 {
				lines++
			}
		}
		for _, group := range f.Go.Comments {
			for _, c := range group.List {
				from, to := t.line(c.Pos()), t.line(c.End())
				if first := bytes.TrimSpace(rows[from-1]); !strings.HasPrefix(string(first), "/") {
					from++ // it stands behind code
				}
				comments += max(0, to-from+1)
			}
		}
	}
	return comments, lines
}
