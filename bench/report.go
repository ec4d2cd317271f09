package main

import (
	"fmt"
	"strings"

	"vitrine/e2e/markdown"
)

// report is what a suite has measured.
type report struct {
	Head  []string   `json:"head"`
	Rows  [][]string `json:"rows"`
	Goals []goal     `json:"goals,omitempty"`
	Notes []string   `json:"notes,omitempty"` // versions, numbers of operations, what could not be had
}

// goal is what was to be reached: at most Bound, or at least.
type goal struct {
	Work    string  `json:"work"`
	Against string  `json:"against"`
	Bound   float64 `json:"bound"`
	Unit    string  `json:"unit"` // "× CPU"
	AtLeast bool    `json:"at_least,omitempty"`
	Got     figure  `json:"got"`
}

func (g goal) reached() bool {
	if g.AtLeast {
		return g.Got.Median >= g.Bound
	}
	return g.Got.Median <= g.Bound
}

func (g goal) row() []string {
	sign, verdict := "≤ ", "reached"
	if g.AtLeast {
		sign = "≥ "
	}
	if !g.reached() {
		verdict = "**not reached**"
	}
	return []string{g.Work, g.Against, sign + markdown.Number(g.Bound) + " " + g.Unit, ranged(g.Got), verdict}
}

func (r report) markdown() string {
	text := markdown.Table(r.Head, r.Rows)
	if len(r.Notes) > 0 {
		text += "\n" + strings.Join(r.Notes, ". ") + ".\n"
	}
	return text
}

// ranged is a figure with its range, where that says something.
func ranged(f figure) string {
	if f.Low == f.High {
		return markdown.Number(f.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", markdown.Number(f.Median), markdown.Number(f.Low), markdown.Number(f.High))
}

// duration is a figure of nanoseconds.
func duration(ns float64) string {
	switch {
	case ns >= 1e9:
		return markdown.Number(ns/1e9) + " s"
	case ns >= 1e6:
		return markdown.Number(ns/1e6) + " ms"
	case ns >= 1e3:
		return markdown.Number(ns/1e3) + " µs"
	}
	return markdown.Number(ns) + " ns"
}
