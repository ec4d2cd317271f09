package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"vitrine/e2e/fleet/forecast"
)

const documentFile = "docs/scaling.md"

// write writes the document's tables, and the pictures, of what was measured and simulated.
func write(dir string) error {
	files, err := rendered(dir)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// rendered is what the document and its pictures are to be, by the names of their files.
func rendered(dir string) (map[string]string, error) {
	var c forecast.Constants
	var rows []row
	var simulated forecast.Simulations
	for file, into := range map[string]any{constantsFile: &c, rowsFile: &rows, "e2e/fleet/forecast/simulated.json": &simulated} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, into); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, documentFile))
	if err != nil {
		return nil, err
	}
	text := string(b)
	for name, table := range map[string]string{
		"measured": measuredTable(c, rows), "constants": constantsTable(c), "forecast": forecastTable(c),
		"limits": limitsTable(c), "changes": changesTable(c), "simulated": simulatedTable(c, simulated),
	} {
		if text, err = replaced(text, name, table); err != nil {
			return nil, err
		}
	}
	files := map[string]string{documentFile: text}
	for name, svg := range pictures(c, simulated) {
		files["docs/pictures/"+name] = svg
	}
	return files, nil
}

// replaced puts a table between its marks.
func replaced(text, name, table string) (string, error) {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, found := strings.Cut(text, begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		return "", fmt.Errorf("%s has no marks for %q", documentFile, name)
	}
	return before + begin + table + end + after, nil
}

// table is one in Markdown. All but the first column is aligned to the right.
func table(head []string, rows [][]string) string {
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

// number has three digits, or all before the point.
func number(v float64) string {
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

func percent(share float64) string { return number(100*share) + " %" }

// current tells whether the files are what they are to be.
func current(dir string) error {
	files, err := rendered(dir)
	if err != nil {
		return err
	}
	var errs []error
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil && string(got) != want {
			err = fmt.Errorf("%s is not what go run ./e2e/fleet -render writes", name)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
