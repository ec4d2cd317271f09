package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocument: it shows what was measured last, in one run, and says of each goal that is not reached why.
func TestDocument(t *testing.T) {
	want, err := rendered("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", documentFile))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what go run . -render writes", documentFile)
	}
}

// TestDocumentSaysWhy: a goal that is not reached has its heading, and only such a one.
func TestDocumentSaysWhy(t *testing.T) {
	for _, test := range []struct {
		desc, text, want string
		got              float64
	}{
		{"not reached and said", "### a hit, against a peer\n", "", 2},
		{"not reached", "", "does not say why", 2},
		{"reached", "", "", .5},
		{"reached, and said not to be", "### a hit, against a peer\n", "and it is", .5},
	} {
		dir := t.TempDir()
		text := test.text
		r := results{Reports: map[string]report{}}
		for _, s := range append(suites, suite{name: "goals"}, suite{name: "machine"}) {
			text += "<!-- begin " + s.name + " -->\n<!-- end " + s.name + " -->\n"
			r.Reports[s.name] = report{Head: []string{""}}
		}
		first := r.Reports[suites[0].name]
		first.Goals = []goal{{Work: "a hit", Against: "a peer", Bound: 1, Got: figure{test.got, test.got, test.got}}}
		r.Reports[suites[0].name] = first
		for _, name := range []string{"docs", "bench"} {
			if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, documentFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
		_, err := rendered(dir)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", test.desc, err)
		}
	}
}
