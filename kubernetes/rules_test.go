package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/promql/parser"
	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

func TestPrometheusRuleIsCurrent(t *testing.T) {
	want, err := prometheusRule(ruleFiles, namespaceFile)
	if err != nil {
		t.Fatal(err)
	}
	if text(t, ruleObject) != string(want) {
		t.Errorf("%s is not what go generate makes of %s", ruleObject, ruleFiles)
	}
}

func TestPrometheusRuleRefuses(t *testing.T) {
	dir := t.TempDir()
	for desc, file := range map[string]string{
		"no rules":                   "groups: []\n",
		"an unknown field":           "groups: [{name: a, rules: [{record: a, exprs: b}]}]\n",
		"no PromQL":                  "groups: [{name: a, rules: [{record: a, expr: 'sum('}]}]\n",
		"none of what it leaves out": "groups: [{name: a, rules: [{record: a, expr: b}]}]\n",
	} {
		name := filepath.Join(dir, "rules.yml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := prometheusRule(name, namespaceFile); err == nil {
			t.Errorf("%s: no error", desc)
		}
	}
	if _, err := prometheusRule(ruleFiles, "base/service.yaml"); err == nil {
		t.Error("no namespace: no error")
	}
}

// rulesOf are the rules of a spec by group, name and expression without namespaces.
func rulesOf(t *testing.T, specs ...monitoring.PrometheusRuleSpec) map[string]monitoring.Rule {
	t.Helper()
	found := map[string]monitoring.Rule{}
	for _, spec := range specs {
		for _, g := range spec.Groups {
			for _, r := range g.Rules {
				expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr.String())
				if err != nil {
					t.Fatal(err)
				}
				// One or the other, according to what stands beside it.
				plain := strings.NewReplacer(`{namespace="vitrine"}`, "", `namespace="vitrine",`, "", `,namespace="vitrine"`, "").Replace(expr.String())
				labels := maps.Clone(r.Labels)
				delete(labels, "namespace")
				interval := ""
				if g.Interval != nil {
					interval = string(*g.Interval)
				}
				key, err := json.Marshal([]any{g.Name, interval, r.Alert, r.Record, plain, labels, r.For, r.Annotations})
				if err != nil {
					t.Fatal(err)
				}
				found[string(key)] = r
			}
		}
	}
	return found
}

// TestRulesAreThoseOfTheStack: each rule of the stack is there, or left out with a reason; it says the same, but of its
// own namespace.
func TestRulesAreThoseOfTheStack(t *testing.T) {
	var stack []monitoring.PrometheusRuleSpec
	names, err := filepath.Glob(ruleFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		var spec monitoring.PrometheusRuleSpec
		if err := yaml.Unmarshal([]byte(text(t, name)), &spec); err != nil {
			t.Fatal(err)
		}
		stack = append(stack, spec)
	}
	ours := rulesOf(t, the[*monitoring.PrometheusRule](overlay(t, "production")).Spec)
	reasons := maps.Clone(leftOut)
	for key, r := range rulesOf(t, stack...) {
		_, there := ours[key]
		_, out := reasons[r.Alert]
		if there == out {
			t.Errorf("there: %v, left out: %v: %s", there, out, key)
		}
		delete(ours, key)
	}
	for key := range ours {
		t.Errorf("not the stack's: %s", key)
	}
	for alert, reason := range reasons {
		if len(reason) < 20 {
			t.Errorf("%s is left out without a reason", alert)
		}
	}
}

// TestRulesReadWhatIsScraped: what rules stand on comes from the replicas, and is read in their namespace alone.
func TestRulesReadWhatIsScraped(t *testing.T) {
	signals := text(t, "../docs/signals.md")
	part := regexp.MustCompile(`_(bucket|count|sum)$`)
	n := 0
	for _, r := range rulesOf(t, the[*monitoring.PrometheusRule](overlay(t, "production")).Spec) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, matchers := range parser.ExtractSelectors(expr) {
			about := map[string]string{}
			for _, m := range matchers {
				about[m.Name] = m.Value
			}
			metric := about["__name__"]
			if strings.HasPrefix(metric, "vitrine:") {
				continue
			}
			n++
			if about["namespace"] != "vitrine" {
				t.Errorf("%s%s reads everybody's %s", r.Alert, r.Record, metric)
			}
			// signals.md has those of the process in one line.
			if metric != "up" && !strings.HasPrefix(metric, "process_") && !strings.Contains(signals, "| `"+metric+"`") && !strings.Contains(signals, "| `"+part.ReplaceAllString(metric, "")+"`") {
				t.Errorf("%s%s stands on %s, which no replica has", r.Alert, r.Record, metric)
			}
		}
		if r.Alert != "" && r.Labels["namespace"] != "vitrine" {
			t.Errorf("%s does not say where", r.Alert)
		}
	}
	if n < 20 {
		t.Errorf("only %d selectors", n)
	}
}

// unitTests is a file of promtool's. Read as JSON, values such as 0x80 would be hexadecimal numbers.
type unitTests struct {
	RuleFiles          []string   `yaml:"rule_files"`
	EvaluationInterval string     `yaml:"evaluation_interval"`
	GroupEvalOrder     []string   `yaml:"group_eval_order"`
	Tests              []unitTest `yaml:"tests"`
}

type unitTest struct {
	Name        string              `yaml:"name"`
	Interval    string              `yaml:"interval"`
	InputSeries []map[string]string `yaml:"input_series"`
	Alerts      []alertTest         `yaml:"alert_rule_test"`
}

type alertTest struct {
	EvalTime string          `yaml:"eval_time"`
	Name     string          `yaml:"alertname"`
	Expected []expectedAlert `yaml:"exp_alerts"`
}

type expectedAlert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// TestAlertsFireForTheirNamespace: the stack's own tests of its alerts hold here too, where the series are of this
// namespace; where the same series are another's, nothing fires but what says that there are no replicas.
func TestAlertsFireForTheirNamespace(t *testing.T) {
	t.Parallel()
	const rules = "rules.yml"
	dir := t.TempDir()
	write := func(name string, marshal func(any) ([]byte, error), v any) {
		text, err := marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	spec := the[*monitoring.PrometheusRule](overlay(t, "production")).Spec
	write(rules, yaml.Marshal, spec)
	args, fired := []string{"test", "rules"}, 0
	for _, namespace := range []string{"vitrine", "another"} {
		for _, name := range []string{"alerts.yml", "slo.yml"} {
			var file unitTests
			if err := yamlv3.Unmarshal([]byte(text(t, filepath.Join("../prometheus/tests", name))), &file); err != nil {
				t.Fatal(err)
			}
			file.RuleFiles, file.GroupEvalOrder = []string{rules}, nil
			for _, g := range spec.Groups {
				file.GroupEvalOrder = append(file.GroupEvalOrder, g.Name)
			}
			for i := range file.Tests {
				fired += relocate(&file.Tests[i], namespace)
			}
			name = namespace + "-" + name
			write(name, yamlv3.Marshal, file)
			args = append(args, name)
		}
	}
	if fired < 15 {
		t.Errorf("only %d alerts are expected to fire", fired)
	}
	out, err := promtool(t, dir, args...).CombinedOutput()
	if err != nil || bytes.Count(out, []byte("SUCCESS")) != len(args)-2 {
		t.Errorf("%v: %s", err, out)
	}
}

// relocate makes the series of a test those of a namespace, and returns how many alerts should fire in this one.
func relocate(test *unitTest, namespace string) (fired int) {
	for _, s := range test.InputSeries {
		name, labels, _ := strings.Cut(s["series"], "{")
		s["series"] = name + `{namespace="` + namespace + `",` + labels
	}
	test.Alerts = slices.DeleteFunc(test.Alerts, func(a alertTest) bool {
		_, out := leftOut[a.Name]
		return out || namespace != "vitrine" && (a.Name == "ServiceDown" || a.Name == "ReplicaDown")
	})
	for i := range test.Alerts {
		if namespace != "vitrine" {
			test.Alerts[i].Expected = nil
		}
		for _, e := range test.Alerts[i].Expected {
			e.Labels["namespace"] = namespace
			fired++
		}
	}
	return fired
}
