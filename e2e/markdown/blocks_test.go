package markdown_test

import (
	"slices"
	"testing"

	"vitrine/e2e/markdown"
)

func TestBlocks(t *testing.T) {
	got := markdown.Blocks("text\n\n```sh again\na\n\nb\n```\n\n1. list\n\n   ```\n     c\n   ```\n\n````text\n```\nd\n````\n```go\n```\n")
	want := []markdown.Block{
		{Info: "sh again", Text: "a\n\nb\n", Line: 3},
		{Info: "", Text: "  c\n", Line: 11},
		{Info: "text", Text: "```\nd\n", Line: 15},
		{Info: "go", Text: "", Line: 19},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want\n%+v", got, want)
	}
	if language := got[0].Language(); language != "sh" {
		t.Errorf("the language of %q is %q", got[0].Info, language)
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		document, output string
		want             bool
	}{
		{"a b\n", "a b\n", true},
		{"a b\n", "  a b\r\n\n", true},
		{"a b\n", "a\nb\n", false},
		{"a.b\n", "axb\n", false},
		{"ttl=…; near\n", "ttl=59; near\n", true},
		{"ttl=…; near\n", "ttl=59; far\n", false},
		{"a … b\n", "a\nb\n", false},
		{"a\n…\nb\n", "a\n1\n2\nb\n", true},
		{"a\n…\nb\n", "a\nb\n", true},
		{"a\n…\nb\n", "a\n1\n", false},
		{"a\n", "a\nb\n", false},
		{"…\n", "", true},
		{"", "", true},
		{"", "a\n", false},
	} {
		if got := markdown.Matches(test.document, test.output); got != test.want {
			t.Errorf("%q, %q: %t", test.document, test.output, got)
		}
	}
}
