package markdown_test

import (
	"strings"
	"testing"

	"vitrine/e2e/markdown"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", .0123456: "0.0123", 1.5: "1.5", 99.96: "100", 12.345: "12.3", 1234.5: "1,235", 1e6: "1,000,000"} {
		if got := markdown.Number(v); got != want {
			t.Errorf("%g is written %q, want %q", v, got, want)
		}
	}
}

func TestReplaced(t *testing.T) {
	text := "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n"
	got, err := markdown.Replaced(text, "x", "new\n")
	if want := strings.Replace(text, "old", "new", 1); err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := markdown.Replaced(text, "y", "new\n"); err == nil {
		t.Error("marks that are not there are no error")
	}
}
