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
	Title      string
	Type       string
	Datasource struct{ UID string }
	Targets    []struct{ Expr string }
	Panels     []panel // of a collapsed row
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

// variables stand for what Grafana fills in: all values, and a range of several scrapes.
var variables = strings.NewReplacer(
	"$__rate_interval", "1m", "$__interval", "30s", "$__range", "5m",
	"${instance}", ".*", "$instance", ".*", "${route}", ".*", "$route", ".*", "${cache}", ".*", "$cache", ".*",
	"${instance:regex}", ".*", "${route:regex}", ".*", "${cache:regex}", ".*",
)

// expressions are those of all panels, ready to be asked.
func (d dashboard) expressions() (exprs []string) {
	var walk func([]panel)
	walk = func(panels []panel) {
		for _, p := range panels {
			walk(p.Panels)
			for _, target := range p.Targets {
				exprs = append(exprs, variables.Replace(target.Expr))
			}
		}
	}
	walk(d.Panels)
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
