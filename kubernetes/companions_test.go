package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestDashboards: each dashboard of the stack is in a ConfigMap of its own that Grafana's sidecar finds.
func TestDashboards(t *testing.T) {
	files, err := filepath.Glob("../grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	want := map[string]string{}
	for _, file := range files {
		want[filepath.Base(file)] = text(t, file)
	}
	got := map[string]string{}
	for _, m := range all[*core.ConfigMap](overlay(t, "production")) {
		if m.Labels["grafana_dashboard"] == "" {
			continue
		}
		if len(m.Data) != 1 || m.Labels["grafana_dashboard"] != "1" || !strings.HasPrefix(m.Name, "vitrine-dashboard-") {
			t.Errorf("%s is not found, or is more than one", m.Name)
		}
		for name, text := range m.Data {
			// A mebibyte is the API server's limit. kubectl apply on the client's side keeps all of it in an annotation too.
			if m.Name != "vitrine-dashboard-"+strings.TrimSuffix(name, ".json") || len(text) > 200<<10 {
				t.Errorf("%s has %s, %d bytes", m.Name, name, len(text))
			}
			got[name] = text
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("there are %q, and not the same text, or not %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// TestRedisIsTheStacks: the local overlay's Redis is started as docker-compose.yml starts it, where it is tested.
func TestRedisIsTheStacks(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Image      string
			User       string
			MemLimit   string `json:"mem_limit"`
			Entrypoint []string
			Command    []string
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, "../docker-compose.yml")), &compose); err != nil {
		t.Fatal(err)
	}
	redis := compose.Services["redis"]
	want := fmt.Sprintf("%s as %s within %si: %q %q", redis.Image, redis.User, strings.ToUpper(redis.MemLimit), redis.Entrypoint, redis.Command)
	for _, d := range all[*apps.Deployment](overlay(t, "local")) {
		if p := d.Spec.Template.Spec; d.Name == "redis" {
			k, who := p.Containers[0], p.SecurityContext
			got := fmt.Sprintf("%s as %d:%d within %s: %q %q", k.Image, *who.RunAsUser, *who.RunAsGroup, k.Resources.Limits.Memory(), k.Command, k.Args)
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
			return
		}
	}
	t.Error("there is none")
}

// TestAdapter: what the example for prometheus-adapter offers is what is scaled by, from a metric that replicas have.
func TestAdapter(t *testing.T) {
	type resource struct{ Resource string }
	var values struct {
		Rules struct {
			Default bool
			Custom  []struct {
				SeriesQuery  string
				Resources    struct{ Overrides map[string]resource }
				Name         struct{ As string }
				MetricsQuery string
			}
		}
	}
	if err := yaml.UnmarshalStrict([]byte(text(t, "prometheus-adapter.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	if len(values.Rules.Custom) != 1 {
		t.Fatalf("%+v", values)
	}
	rule := values.Rules.Custom[0]
	scaled := the[*autoscaling.HorizontalPodAutoscaler](overlay(t, "production")).Spec.Metrics[1].Pods.Metric.Name
	if rule.Name.As != scaled {
		t.Errorf("it offers %s, and %s is scaled by", rule.Name.As, scaled)
	}
	for label, r := range rule.Resources.Overrides {
		if label != r.Resource || !strings.Contains(rule.SeriesQuery, label+`!=""`) {
			t.Errorf("%s is a %s", label, r.Resource)
		}
	}
	if len(rule.Resources.Overrides) != 2 {
		t.Errorf("%v: it is asked by namespace and pod", rule.Resources.Overrides)
	}
	query := strings.NewReplacer("<<.Series>>", scaled, "<<.LabelMatchers>>", `namespace="vitrine",pod=~"a|b"`, "<<.GroupBy>>", "pod").Replace(rule.MetricsQuery)
	for _, promql := range []string{query, rule.SeriesQuery} {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(promql)
		if err != nil || strings.Contains(promql, "<<") {
			t.Errorf("%s: %v", promql, err)
			continue
		}
		for _, s := range parser.ExtractSelectors(expr) {
			if !slices.ContainsFunc(s, func(m *labels.Matcher) bool { return m.Name == "__name__" && m.Value == scaled }) {
				t.Errorf("%s is not about %s", promql, scaled)
			}
		}
	}
}
