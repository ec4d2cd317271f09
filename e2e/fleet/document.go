package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"vitrine/e2e/fleet/forecast"
	"vitrine/e2e/markdown"
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
		if text, err = markdown.Replaced(text, name, table); err != nil {
			return nil, err
		}
	}
	files := map[string]string{documentFile: text}
	for name, svg := range pictures(c, simulated) {
		files["docs/pictures/"+name] = svg
	}
	return files, nil
}

func percent(share float64) string { return markdown.Number(100*share) + " %" }

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
