package house

import "go/ast"

// checkDocumented looks for exported names without a comment: functions, methods
// of exported types, types, constants, variables and the methods of interfaces.
// A comment on a group of constants or variables speaks for all of it.
func checkDocumented(t *Tree, report reporter) {
	for _, p := range t.Packages {
		for _, f := range p.code() {
			bare := func(id *ast.Ident) {
				report(f.Path, t.line(id.Pos()), "%s has no comment: what it does, units, errors", id.Name)
			}
			for _, decl := range f.Go.Decls {
				switch d := decl.(type) {
				case *ast.FuncDecl:
					if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
						bare(d.Name)
					}
				case *ast.GenDecl:
					documentedSpecs(d, bare)
				}
			}
		}
	}
}

// documentedSpecs reports the bare names of one declaration.
func documentedSpecs(d *ast.GenDecl, bare func(*ast.Ident)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if !s.Name.IsExported() {
				continue
			}
			// Unlike a constant, a type in a group has a story of its own.
			if s.Doc == nil && s.Comment == nil && (d.Doc == nil || d.Lparen.IsValid()) {
				bare(s.Name)
			}
			documentedMethods(s, bare)
		case *ast.ValueSpec:
			if d.Doc != nil || s.Doc != nil || s.Comment != nil {
				continue
			}
			for _, name := range s.Names {
				if name.IsExported() {
					bare(name)
				}
			}
		}
	}
}

// documentedMethods reports the bare methods of an interface.
func documentedMethods(s *ast.TypeSpec, bare func(*ast.Ident)) {
	i, ok := s.Type.(*ast.InterfaceType)
	if !ok {
		return
	}
	for _, m := range i.Methods.List {
		for _, name := range m.Names {
			if name.IsExported() && m.Doc == nil && m.Comment == nil {
				bare(name)
			}
		}
	}
}

// exportedReceiver says whether d is a function, or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	// The type's name is the first one in *T[K, V].
	id, ok := find(d.Recv.List[0].Type, isIdent).(*ast.Ident)
	return ok && id.IsExported()
}

func isIdent(n ast.Node) bool {
	_, ok := n.(*ast.Ident)
	return ok
}
