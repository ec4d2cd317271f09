package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	files, err := filepath.Glob("../prometheus/rules/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Groups []struct{ Rules []rule } }
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(name, err)
		}
		for _, g := range file.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

// TestAlertsAreExplained: each alert says what it means for users, how urgent it is, and where to read on, and
// has a test that it fires and one that it does not.
func TestAlertsAreExplained(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := filepath.Glob("../prometheus/tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	var cases strings.Builder
	for _, name := range tests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cases.Write(text)
	}
	n := 0
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		n++
		if r.Annotations["summary"] == "" || !regexp.MustCompile(`(?i)\b(users?|requests?)\b`).MatchString(r.Annotations["description"]) {
			t.Errorf("%s does not say what it means for users", r.Alert)
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s has severity %q", r.Alert, s)
		}
		if r.Annotations["runbook_url"] != "docs/operations.md#"+strings.ToLower(r.Alert) || !strings.Contains(string(text), "\n### "+r.Alert+"\n") {
			t.Errorf("%s has no section in docs/operations.md, or does not link to it: %s", r.Alert, r.Annotations["runbook_url"])
		}
		uid := strings.TrimPrefix(r.Annotations["dashboard_url"], "/d/")
		if !slices.ContainsFunc(all(), func(d *dashboard) bool { return d.UID == uid }) {
			t.Errorf("%s links to the dashboard %q, which there is not", r.Alert, uid)
		}
		for _, want := range []string{`exp_alerts: \[\]`, `exp_alerts:\n`} {
			if !regexp.MustCompile(`alertname: ` + r.Alert + `\n\s+` + want).MatchString(cases.String()) {
				t.Errorf("%s has no case with %s", r.Alert, want)
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d alerts", n)
	}
}

// TestQuietDaysHaveEverything: the test in which no alert may fire has a series of each metric that one stands on,
// so that its silence means something.
func TestQuietDaysHaveEverything(t *testing.T) {
	text, err := os.ReadFile("../prometheus/tests/quiet.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules(t) {
		for _, metric := range metrics(t, ref{r.Alert + r.Record, r.Expr}) {
			if !strings.HasPrefix(metric, "vitrine:") && !strings.Contains(string(text), "series: '"+metric+"{") {
				t.Errorf("%s stands on %s, of which there is no series", r.Alert+r.Record, metric)
			}
		}
	}
}

// TestRunbooksNamePanels: what docs/operations.md sets in italics as the name of a panel or row is one.
func TestRunbooksNamePanels(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, d := range all() {
		for _, p := range d.Panels {
			titles = append(titles, p.Title)
		}
	}
	names := regexp.MustCompile(`[^*]\*([A-Z][^*]+)\*[^*]`).FindAllStringSubmatch(string(text), -1)
	if len(names) < 6 {
		t.Errorf("only %d panels are named", len(names))
	}
	for _, m := range names {
		name := strings.ReplaceAll(m[1], "\n", " ")
		if !slices.ContainsFunc(titles, func(title string) bool { return title == name || strings.HasPrefix(title, name+":") }) {
			t.Errorf("no panel is called %q", name)
		}
	}
}
