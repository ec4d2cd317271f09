package markdown

import (
	"regexp"
	"strings"
)

// Block is a fenced code block.
type Block struct {
	Info string // what stands behind the opening fence: the language first
	Text string
	Line int // of its opening fence, from 1 on
}

// Language is the first word of the info string.
func (b Block) Language() string {
	language, _, _ := strings.Cut(b.Info, " ")
	return language
}

// Blocks are the fenced code blocks of a document, those in lists included, without the indentation of their fence.
func Blocks(document string) (all []Block) {
	var fence, indent string
	line := 0
	for text := range strings.Lines(document) {
		line++
		trimmed := strings.TrimLeft(text, " ")
		ticks := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence, indent = ticks, text[:len(text)-len(trimmed)]
			all = append(all, Block{Info: strings.TrimSpace(trimmed[len(ticks):]), Line: line})
		case fence == "":
		case strings.TrimSpace(trimmed) == fence:
			fence = ""
		default:
			all[len(all)-1].Text += strings.TrimPrefix(text, indent)
		}
	}
	return all
}

// Matches tells whether an output is what a document says. In the document "…" stands for any part of a line, and a line of
// nothing else for any number of lines. Space at the ends of lines counts for nothing.
func Matches(document, output string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(strings.TrimSpace(document)) {
		if line = strings.TrimSpace(line); line == "…" {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		parts := strings.Split(line, "…")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		pattern.WriteString(strings.Join(parts, `.*`) + `\n`)
	}
	var trimmed strings.Builder
	for line := range strings.Lines(strings.TrimSpace(output)) {
		trimmed.WriteString(strings.TrimSpace(line) + "\n")
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(trimmed.String())
}
