// Package markdown writes tables of measurements between marks of a document.
package markdown

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Replaced puts text between the marks of that name in a document: <!-- begin name --> and <!-- end name -->. Its error
// says that they are not there.
func Replaced(document, name, text string) (string, error) {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, found := strings.Cut(document, begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		return document, fmt.Errorf("there are no marks for %q", name)
	}
	return before + begin + text + end + after, nil
}

// Table is one whose columns are all aligned to the right, but the first.
func Table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	marks := []string{"---"}
	for range head[1:] {
		marks = append(marks, "---:")
	}
	line(marks)
	for _, cells := range rows {
		line(cells)
	}
	return b.String()
}

// Number has three digits, or all before the point.
func Number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) >= 100:
		text := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
		for i := len(text) - 3; i > 0; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	}
	digits := max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0)
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
