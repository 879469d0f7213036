package house_test

func banFixtures() []fixture {
	return []fixture{
		{"syntax", "parses", map[string]string{
			"shared/a/a.go":          "package a\n",
			"shared/a/testdata/x.go": "package",
			"shared/a/notes.md":      "package",
		}, nil},
		{"syntax", "doesn't", map[string]string{"shared/a/a.go": "package a\n\nfunc {\n"}, []string{"shared/a/a.go:1"}},

		{"init", "called", map[string]string{
			"shared/a/a.go": "package a\n\ntype t int\n\nfunc (t) init() {}\n\n// func init() {}\nfunc initAll() {}\n",
		}, nil},
		{"init", "unasked", map[string]string{
			"shared/a/a.go":      "package a\n\n// init does.\nfunc init() {}\n",
			"shared/a/a_test.go": "package a\n\nfunc init() {}\nfunc init() {}\n",
		}, []string{"shared/a/a.go:4", "shared/a/a_test.go:3", "shared/a/a_test.go:4"}},

		{"names", "nouns", map[string]string{
			"shared/a/utility.go":     "package a\n",
			"shared/commonmark/a.go":  "package commonmark\n",
			"services/x/web/frame.ts": "",
			"deploy/common/notes.md":  "",
		}, nil},
		{"names", "drawers", map[string]string{
			"shared/a/utils.go":          "package a\n",
			"shared/a/helpers_test.go":   "package a_test\n",
			"shared/common/a.go":         "package a\n",
			"shared/b/b.go":              "\npackage types\n",
			"shared/b/b_test.go":         "package types_test\n",
			"services/x/web/types.d.ts":  "",
			"services/x/web/util/one.ts": "",
		}, []string{
			"services/x/web/types.d.ts:1", "services/x/web/util:1", "shared/a/helpers_test.go:1", "shared/a/utils.go:1",
			"shared/b/b.go:2", "shared/b/b_test.go:1", "shared/common:1",
		}},

		{"sleep", "virtual or in the product", map[string]string{
			"shared/a/a.go":      "package a\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n",
			"shared/a/a_test.go": "package a\n\nimport (\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f() { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }\n",
			"shared/b/b_test.go": "package b\n\nfunc f() { clock.Sleep(1) } // time.Sleep(1)\n",
		}, nil},
		{"sleep", "real", map[string]string{
			"shared/a/a_test.go":            "package a\n\nimport \"time\"\n\nfunc f() {\n\ttime.Sleep(1)\n\tdefer time.Sleep(2)\n}\n",
			"shared/b/b_test.go":            "package b\n\nimport t \"time\"\n\nvar f = t.Sleep\n",
			"shared/stream/streamtest/s.go": "package streamtest\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n",
			"shared/testkit/t.go":           "package testkit\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n",
			"shared/c/c_test.go":            "package c\n\nimport (\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f() { synctest.Wait(); time.Sleep(1) }\n",
		}, []string{
			"shared/a/a_test.go:6", "shared/a/a_test.go:7", "shared/b/b_test.go:5", "shared/c/c_test.go:8",
			"shared/stream/streamtest/s.go:5", "shared/testkit/t.go:5",
		}},

		{"skip", "runs", map[string]string{
			"shared/a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { r.Skip(); t.Log(\"t.Skip\") }\n",
			"shared/a/a.go":      "package a\n\nfunc f(t *T) { t.Skip() }\n",
		}, nil},
		{"skip", "skips", map[string]string{
			"shared/a/a_test.go":  "package a\n\nimport \"testing\"\n\nfunc TestA(tt *testing.T) {\n\ttt.Skip()\n}\n\nfunc FuzzA(f *testing.F) {\n\tf.Fuzz(func(t *testing.T, b []byte) {\n\t\tt.SkipNow()\n\t})\n}\n",
			"shared/b/b_test.go":  "package b\n\nimport tst \"testing\"\n\nfunc f(tb tst.TB) { tb.Skipf(\"no\") }\n",
			"shared/testkit/a.go": "package testkit\n\nimport \"testing\"\n\nfunc f(tb testing.TB) {\n\tdefer tb.Skip(\"no\")\n}\n",
		}, []string{"shared/a/a_test.go:6", "shared/a/a_test.go:11", "shared/b/b_test.go:5", "shared/testkit/a.go:6"}},
	}
}
