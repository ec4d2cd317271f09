//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what of Grafana's classic schema the tests read.
type dashboard struct {
	UID    string
	Panels []panel
}

type panel struct {
	ID          int
	Title       string
	Type        string
	Description string
	Datasource  struct{ UID string }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct {
		Expr       string
		Datasource struct{ UID string }
	}
	Panels []panel // of a collapsed row
}

func overview(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("../grafana/dashboards/overview.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// all are the panels and those within rows, without the rows themselves.
func (d dashboard) all() (panels []panel) {
	var walk func([]panel)
	walk = func(some []panel) {
		for _, p := range some {
			walk(p.Panels)
			if p.Type != "row" {
				panels = append(panels, p)
			}
		}
	}
	walk(d.Panels)
	return panels
}

// What Grafana would not say is wrong with the file.
func TestOverviewFile(t *testing.T) {
	d := overview(t)
	ids := map[int]string{}
	for _, p := range d.all() {
		if other, ok := ids[p.ID]; ok {
			t.Errorf("%s and %s have one id", p.Title, other)
		}
		ids[p.ID] = p.Title
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d, %q, lacks a title, a description or a query", p.ID, p.Title)
		}
		if p.FieldConfig.Defaults.Unit == "" && p.Type != "heatmap" {
			t.Errorf("%s has no unit", p.Title)
		}
		for _, target := range p.Targets {
			for _, uid := range []string{p.Datasource.UID, target.Datasource.UID} {
				if uid != "prometheus" && uid != "" {
					t.Errorf("%s asks the data source %q, which is not provisioned", p.Title, uid)
				}
			}
			if p.Datasource.UID+target.Datasource.UID == "" {
				t.Errorf("%s names no data source", p.Title)
			}
		}
	}
	if len(ids) < 10 {
		t.Errorf("only %d panels", len(ids))
	}
	if !hasGrafana {
		t.Log("checked without Grafana")
	}
}

// variables stand for what Grafana fills in: all values, and a range of several scrapes.
var variables = strings.NewReplacer(
	"$__rate_interval", "1m", "$__interval", "30s", "$__range", "5m",
	"${instance}", ".*", "$instance", ".*", "${route}", ".*", "$route", ".*", "${cache}", ".*", "$cache", ".*",
	"${instance:regex}", ".*", "${route:regex}", ".*", "${cache:regex}", ".*",
)

// expressions are those of all panels, ready to be asked.
func (d dashboard) expressions() (exprs []string) {
	for _, p := range d.all() {
		for _, target := range p.Targets {
			exprs = append(exprs, variables.Replace(target.Expr))
		}
	}
	return exprs
}

var metricName = regexp.MustCompile(`\b((?:http|cache|go|process|otel)_[a-z_]+)\b(?:\{|\[|$|\)| )`)

// metrics are the names that the expressions ask for, a histogram's without its suffix.
func (d dashboard) metrics() (names []string) {
	for _, expr := range d.expressions() {
		for _, m := range metricName.FindAllStringSubmatch(expr, -1) {
			name := m[1]
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				name = strings.TrimSuffix(name, suffix)
			}
			if !slices.Contains([]string{"http_route", "http_request_method", "http_response_status_code"}, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
