package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

func TestFilesAreCurrent(t *testing.T) {
	want := files()
	for name, text := range want {
		have, err := os.ReadFile(filepath.Join("dashboards", name))
		if err != nil || !bytes.Equal(have, text) {
			t.Errorf("dashboards/%s is not what the code makes: run go generate in grafana/ (%v)", name, err)
		}
	}
	have, err := filepath.Glob("dashboards/*")
	if err != nil || len(have) != len(want) {
		t.Errorf("%q in dashboards, want %d files: %v", have, len(want), err)
	}
}

// ref is an expression, and where it stands.
type ref struct{ where, expr string }

func (d *dashboard) refs() (refs []ref) {
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			refs = append(refs, ref{d.Title + ", " + p.Title, target["expr"].(string)})
		}
	}
	for _, a := range d.Annotations["list"].([]object) {
		refs = append(refs, ref{fmt.Sprintf("%s, annotation %s", d.Title, a["name"]), a["target"].(object)["expr"].(string)})
	}
	for _, v := range d.Templating["list"].([]object) {
		metric := regexp.MustCompile(`^label_values\((.*), \w+\)$`).FindStringSubmatch(v["query"].(object)["query"].(string))
		refs = append(refs, ref{fmt.Sprintf("%s, variable %s", d.Title, v["name"]), metric[1]})
	}
	return refs
}

// filled is an expression as Grafana sends it.
var filled = strings.NewReplacer("$__rate_interval", "1m", "$__interval", "15s", "$__range_s", "900", "$__range", "15m", "$instance", ".*", "$route", ".*", "$cache", ".*").Replace

// hasUnit tells whether the numbers of a panel have a unit. A table shows them in a column, or not at all.
func (p *panel) hasUnit() bool {
	if p.FieldConfig.Defaults["unit"] != "" {
		return true
	}
	if p.Type != "table" {
		return false
	}
	shown := strings.Contains(fmt.Sprint(p.Transformations), "Value")
	return !shown || slices.ContainsFunc(p.FieldConfig.Overrides, func(o object) bool {
		return slices.ContainsFunc(o["properties"].([]object), func(p object) bool { return p["id"] == "unit" && p["value"] != "" })
	})
}

// TestPanels: what Grafana would not say is wrong with a dashboard.
func TestPanels(t *testing.T) {
	uids, panels := map[string]bool{}, 0
	for _, d := range all() {
		if uids[d.UID] || !strings.HasPrefix(d.UID, "vitrine-") || d.Description == "" || d.Editable {
			t.Errorf("%s: its UID %q must be its own, it must have a description, and not be editable", d.Title, d.UID)
		}
		uids[d.UID] = true
		defined := map[string]bool{}
		for _, v := range d.Templating["list"].([]object) {
			defined[v["name"].(string)] = true
		}
		ids, titles, cells := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			where := d.Title + ", " + p.Title
			if ids[p.ID] || p.ID == 0 {
				t.Errorf("%s: id %d is taken", where, p.ID)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s stands on %q, or outside", where, other)
					}
					cells[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			panels++
			if p.Title == "" || titles[p.Title] || len(p.Targets) == 0 || !p.hasUnit() || p.FieldConfig.Defaults["thresholds"] == nil {
				t.Errorf("%s lacks a title of its own, a query, a unit or thresholds", where)
			}
			titles[p.Title] = true
			// What it means, and what to do when it is bad.
			if len(p.Description) < 60 || strings.Count(p.Description, ". ")+strings.Count(p.Description, ": ") == 0 {
				t.Errorf("%s is not explained: %q", where, p.Description)
			}
			for _, target := range p.Targets {
				if legend := target["legendFormat"]; strings.EqualFold(legend.(string), p.Title) {
					t.Errorf("%s: the legend repeats the title", where)
				}
				if target["datasource"].(object)["uid"] != "prometheus" || p.Datasource["uid"] != "prometheus" {
					t.Errorf("%s asks a data source that is not provisioned", where)
				}
			}
			for _, o := range p.FieldConfig.Overrides {
				coloured := o["properties"].([]object)[0]["id"] == "color"
				if coloured && !slices.ContainsFunc(p.Targets, func(target object) bool { return target["legendFormat"] != "" }) {
					t.Errorf("%s: a colour for %s, and no legend", where, o["matcher"])
				}
			}
			for _, link := range p.Links {
				target := regexp.MustCompile(`^/d/(vitrine-\w+)\?`).FindStringSubmatch(link["url"].(string))
				if target == nil || !slices.ContainsFunc(all(), func(d *dashboard) bool { return d.UID == target[1] }) {
					t.Errorf("%s links to %s, which there is not", where, link["url"])
				}
			}
		}
		for _, r := range d.refs() {
			for _, name := range regexp.MustCompile(`\$([a-z]\w*)`).FindAllStringSubmatch(r.expr, -1) {
				if !defined[name[1]] {
					t.Errorf("%s: $%s is not a variable of this dashboard", r.where, name[1])
				}
			}
			for _, window := range regexp.MustCompile(`\[([^]]+)]`).FindAllStringSubmatch(r.expr, -1) {
				// An annotation has a step of its own, a minute, which its window must cover.
				if !strings.HasPrefix(window[1], "$__") && !strings.Contains(r.where, "annotation") {
					t.Errorf("%s: a fixed window, %s", r.where, window[0])
				}
			}
		}
	}
	if panels < 80 {
		t.Errorf("only %d panels", panels)
	}
}

// listed are the metrics of docs/signals.md with their types: the service's, and those of the stack around it.
func listed(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/signals.md")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| ((?:`[A-Za-z0-9_:*]+`(?:, )?)+) \\| ?(histogram|gauge|counter|) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[1], -1) {
			types[name[1]] = m[2]
		}
	}
	if len(types) < 30 {
		t.Fatalf("only %d metrics are listed", len(types))
	}
	return types
}

// recorded are the names of the recording rules, and all expressions of rules.
func recorded(t *testing.T) (names map[string]bool, refs []ref) {
	t.Helper()
	files, err := filepath.Glob("../prometheus/rules/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	names = map[string]bool{"ALERTS": true, "up": true, "scrape_duration_seconds": true, "scrape_samples_scraped": true}
	for _, r := range rules(t) {
		if r.Record != "" {
			names[r.Record] = true
		}
		refs = append(refs, ref{r.Alert + r.Record, r.Expr})
	}
	return names, refs
}

// metrics are those that an expression selects.
func metrics(t *testing.T, r ref) (names []string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(filled(r.expr))
	if err != nil {
		t.Errorf("%s: %v", r.where, err)
		return nil
	}
	for _, selectors := range parser.ExtractSelectors(expr) {
		for _, m := range selectors {
			if m.Name == model.MetricNameLabel {
				names = append(names, m.Value)
			}
		}
	}
	return names
}

// TestMetricsAreListed: dashboards and rules stand on names that docs/signals.md promises, and no others.
func TestMetricsAreListed(t *testing.T) {
	types, used := listed(t), map[string]bool{}
	names, refs := recorded(t)
	for _, d := range all() {
		refs = append(refs, d.refs()...)
	}
	known := func(metric string) bool {
		if names[metric] {
			return true
		}
		if _, ok := types[metric]; ok {
			return true
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(metric, suffix); ok && types[base] == "histogram" {
				return true
			}
		}
		for name := range types {
			if prefix, ok := strings.CutSuffix(name, "*"); ok && strings.HasPrefix(metric, prefix) {
				return true
			}
		}
		return false
	}
	for _, r := range refs {
		for _, metric := range metrics(t, r) {
			used[metric] = true
			if !known(metric) {
				t.Errorf("%s: %s is not in docs/signals.md", r.where, metric)
			}
		}
	}
	t.Logf("%d expressions, %d metrics", len(refs), len(slices.Collect(maps.Keys(used))))
}

// TestProvisioning: links and data sources lead to what there is.
func TestProvisioning(t *testing.T) {
	text, err := os.ReadFile("provisioning/datasources/vitrine.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range []string{"prometheus", "jaeger", "alertmanager"} {
		if !strings.Contains(string(text), "uid: "+uid+"\n") {
			t.Errorf("no data source %s", uid)
		}
	}
	ui, err := os.ReadFile("../jaeger/ui.js")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`link\('([\w.]+)', '(vitrine-\w+)', '(\w+)'`).FindAllStringSubmatch(string(ui), -1)
	if len(links) < 2 || strings.Contains(string(ui), "$") {
		t.Errorf("%d links in ui.js, and a dollar sign is none that Jaeger would leave: %q", len(links), links)
	}
	signals, err := os.ReadFile("../docs/signals.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range links {
		key, uid, variable := m[1], m[2], m[3]
		i := slices.IndexFunc(all(), func(d *dashboard) bool { return d.UID == uid })
		if i < 0 || !slices.ContainsFunc(all()[i].Templating["list"].([]object), func(v object) bool { return v["name"] == variable }) {
			t.Errorf("%s has no variable %s", uid, variable)
		}
		if !strings.Contains(string(signals), "`"+key+"`") {
			t.Errorf("no span has %s", key)
		}
	}
}
