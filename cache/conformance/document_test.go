package conformance

import (
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
)

const documentFile = "../../docs/conformance.md"

//go:embed conformance.md.tmpl
var documentText string

// document is what docs/conformance.md says.
type document struct {
	Suite, Version string // of the suite, of nginx
	Vitrine, Nginx []row

	text string // as it was read
}

// tally is how many tests have which verdict.
type tally map[string]int

func (n tally) Tests() (sum int) {
	for _, tests := range n {
		sum += tests
	}
	return sum
}

func (n tally) share(verdict string) float64 { return float64(n[verdict]) / float64(n.Tests()) }

// summary is what passes, or is answered with yes.
func summary(rows []row) string {
	counts := count(rows)
	required, optimal, check := counts["required"], counts["optimal"], counts["check"]
	return fmt.Sprintf("required: %d of %d pass, %d fail; optimal: %d of %d pass; check: %d of %d yes", required["pass"], required.Tests(),
		required["fail"], optimal["pass"], optimal.Tests(), check["yes"], check.Tests())
}

// count returns a tally for each kind of test.
func count(rows []row) map[string]tally {
	counts := map[string]tally{}
	for _, r := range rows {
		if counts[r.Kind] == nil {
			counts[r.Kind] = tally{}
		}
		counts[r.Kind][r.Verdict]++
	}
	return counts
}

// find returns the row of a test, or one without a verdict.
func find(rows []row, id string) row {
	if i := slices.IndexFunc(rows, func(r row) bool { return r.ID == id }); i >= 0 {
		return rows[i]
	}
	return row{Verdict: "untested"}
}

var (
	documentRow     = regexp.MustCompile("(?m)^\\| `(.+?)` \\| .* \\| (required|optimal|check) \\| (\\w+) \\| (\\w+) \\|$")
	documentVersion = regexp.MustCompile(`(?m)\| nginx ([0-9.]+) \|$`)
)

// readDocument reads the rows' ids, kinds and verdicts back. There are none where there is no document yet.
func readDocument(t *testing.T) (d document) {
	t.Helper()
	text, err := os.ReadFile(documentFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	d.text = string(text)
	for _, m := range documentRow.FindAllStringSubmatch(d.text, -1) {
		d.Vitrine = append(d.Vitrine, row{ID: m[1], Kind: m[2], Verdict: m[3]})
		d.Nginx = append(d.Nginx, row{ID: m[1], Kind: m[2], Verdict: m[4]})
	}
	if m := documentVersion.FindStringSubmatch(d.text); m != nil {
		d.Version = m[1]
	}
	return d
}

func (d document) render(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	err := template.Must(template.New("document").Funcs(template.FuncMap{
		"count":   count,
		"find":    find,
		"reasons": func() []reason { return reasons },
		"cell":    func(s string) string { return strings.ReplaceAll(s, "|", `\|`) },
		"codes":   func(ids []string) string { return "`" + strings.Join(ids, "`, `") + "`" },
	}).Parse(documentText)).Execute(&text, d)
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func (d document) write(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(documentFile, []byte(d.render(t)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compare reports what is not as it is known.
func (d document) compare(t *testing.T, known document) {
	t.Helper()
	differ := func(who string, is, was []row) {
		for _, r := range is {
			if k := find(was, r.ID); r.Verdict != k.Verdict {
				t.Errorf("%s, %s (%s): %s, was %s: %s", who, r.ID, r.Kind, r.Verdict, k.Verdict, r.Detail)
			}
		}
	}
	differ("vitrine", d.Vitrine, known.Vitrine)
	differ(fmt.Sprint("nginx ", d.Version), d.Nginx, known.Nginx)
	if !t.Failed() && d.render(t) != known.text {
		t.Errorf("%s is not what -update would write", documentFile)
	}
}
