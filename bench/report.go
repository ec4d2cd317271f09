package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
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
	return []string{g.Work, g.Against, sign + number(g.Bound) + " " + g.Unit, ranged(g.Got), verdict}
}

func (r report) markdown() string {
	text := table(r.Head, r.Rows)
	if len(r.Notes) > 0 {
		text += "\n" + strings.Join(r.Notes, ". ") + ".\n"
	}
	return text
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

// ranged is a figure with its range, where that says something.
func ranged(f figure) string {
	if f.Low == f.High {
		return number(f.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", number(f.Median), number(f.Low), number(f.High))
}

// duration is a figure of nanoseconds.
func duration(ns float64) string {
	switch {
	case ns >= 1e9:
		return number(ns/1e9) + " s"
	case ns >= 1e6:
		return number(ns/1e6) + " ms"
	case ns >= 1e3:
		return number(ns/1e3) + " µs"
	}
	return number(ns) + " ns"
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
