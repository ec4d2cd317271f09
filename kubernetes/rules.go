package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

const (
	ruleFiles     = "../prometheus/rules/*.yml"
	namespaceFile = "base/kustomization.yaml"
	ruleObject    = "monitoring/prometheusrule.yaml"
)

// leftOut are alerts of the Compose stack that a cluster does not want from Vitrine, and why.
var leftOut = map[string]string{
	"LoadBalancerErrors": "replicas ask one another through a Service, which answers nothing itself; the gateway counts its own answers",
	"RedisDown":          "Redis and its exporter are the operator's or the provider's; CacheBreakerOpen says it from here",
	"RedisMemoryFull":    "Redis and its exporter are the operator's or the provider's; HitRatioCollapsed says it from here",
	"ScrapeFailing":      "it is about jobs that are not Vitrine's; kube-prometheus has TargetDown",
	"RulesFailing":       "Prometheus is not Vitrine's; kube-prometheus has PrometheusRuleFailures",
	"AlertsNotDelivered": "Prometheus is not Vitrine's; kube-prometheus has PrometheusNotConnectedToAlertmanagers",
}

// prometheusRule is the PrometheusRule with all rules of files but those left out. What a rule reads is bound to the
// namespace, for in a Prometheus that everybody shares others have requests, memory and a job called service too.
// Records are not: they are called vitrine: and no one else's, and a label more would change what they match.
func prometheusRule(files, kustomization string) ([]byte, error) {
	namespace, err := namespaceOf(kustomization)
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(files)
	if err != nil {
		return nil, err
	}
	var spec monitoring.PrometheusRuleSpec
	unknown := maps.Clone(leftOut)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var file monitoring.PrometheusRuleSpec
		if err := yaml.Unmarshal(text, &file, yaml.DisallowUnknownFields); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, group := range file.Groups {
			group.Rules = slices.DeleteFunc(group.Rules, func(r monitoring.Rule) bool {
				_, out := leftOut[r.Alert]
				delete(unknown, r.Alert)
				return out
			})
			for i := range group.Rules {
				if err := bind(&group.Rules[i], namespace); err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
			}
			if len(group.Rules) > 0 {
				spec.Groups = append(spec.Groups, group)
			}
		}
	}
	if len(unknown) > 0 || len(spec.Groups) == 0 {
		return nil, fmt.Errorf("%s: %d groups, and no alerts called %q", files, len(spec.Groups), slices.Sorted(maps.Keys(unknown)))
	}
	return object(spec)
}

// bind has the rule read its own namespace alone. Alerts say which it is, so that they can be routed by it.
func bind(r *monitoring.Rule, namespace string) error {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr.String())
	if err != nil {
		return fmt.Errorf("%s%s: %w", r.Alert, r.Record, err)
	}
	own := labels.MustNewMatcher(labels.MatchEqual, "namespace", namespace)
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok && !strings.HasPrefix(s.Name, "vitrine:") {
			s.LabelMatchers = append(s.LabelMatchers, own)
		}
		return nil
	})
	r.Expr = intstr.FromString(expr.Pretty(0))
	if r.Alert != "" {
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		r.Labels["namespace"] = namespace
	}
	return nil
}

func namespaceOf(kustomization string) (string, error) {
	text, err := os.ReadFile(kustomization)
	if err != nil {
		return "", err
	}
	var k struct{ Namespace string }
	if err := yaml.Unmarshal(text, &k); err != nil {
		return "", fmt.Errorf("%s: %w", kustomization, err)
	}
	if k.Namespace == "" {
		return "", fmt.Errorf("%s names no namespace", kustomization)
	}
	return k.Namespace, nil
}

func object(spec monitoring.PrometheusRuleSpec) ([]byte, error) {
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": monitoring.SchemeGroupVersion.String(),
		"kind":       monitoring.PrometheusRuleKind,
		"metadata":   map[string]string{"name": "vitrine"},
		"spec":       spec,
	})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, "# Code generated from prometheus/rules by go generate in kubernetes/. DO NOT EDIT.")
	fmt.Fprintln(&out, "# Left out:")
	for _, alert := range slices.Sorted(maps.Keys(leftOut)) {
		fmt.Fprintf(&out, "#   %s: %s\n", alert, leftOut[alert])
	}
	out.Write(text)
	return out.Bytes(), nil
}
