package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// configPolicies are about what the program is told, and what it tells.
func configPolicies(t *testing.T) []policy {
	known := defaults(t)
	return []policy{{
		desc: "the program knows its variables",
		holds: func(c cluster) (wrong []string) {
			ours := 0
			for name := range c.settings() {
				if strings.HasPrefix(name, "VITRINE_") {
					ours++
					if _, ok := known[name]; !ok {
						wrong = append(wrong, name)
					}
				} else if !strings.HasPrefix(name, "OTEL_") && !strings.HasPrefix(name, "K8S_") {
					wrong = append(wrong, name)
				}
			}
			if ours < 5 {
				wrong = append(wrong, "its settings do not reach it")
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"a misspelt one": func(c cluster) {
				c.container().Env = append(c.container().Env, core.EnvVar{Name: "VITRINE_DRAIN", Value: "1s"})
			},
			"another's": func(c cluster) { c.container().Env = append(c.container().Env, core.EnvVar{Name: "PORT", Value: "1"}) },
			"none":      func(c cluster) { c.container().EnvFrom = nil },
		},
	}, {
		desc: "settings are in a ConfigMap whose name changes with them",
		holds: func(c cluster) (wrong []string) {
			for _, from := range c.container().EnvFrom {
				name := from.ConfigMapRef.Name
				if !slices.ContainsFunc(all[*core.ConfigMap](c), func(m *core.ConfigMap) bool { return m.Name == name }) || !strings.HasPrefix(name, "vitrine-") {
					wrong = append(wrong, name)
				}
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"one that is not there": func(c cluster) { c.container().EnvFrom[0].ConfigMapRef.Name = "vitrine-0" },
			"a stable name": func(c cluster) {
				name := c.container().EnvFrom[0].ConfigMapRef.Name
				for _, m := range all[*core.ConfigMap](c) {
					if m.Name == name {
						m.Name, c.container().EnvFrom[0].ConfigMapRef.Name = "vitrine", "vitrine"
					}
				}
			},
		},
	}, {
		desc:  "nothing secret is committed",
		holds: secrets,
		breaks: map[string]func(cluster){
			"a password in a variable": func(c cluster) {
				c.container().Env = append(c.container().Env, core.EnvVar{Name: "VITRINE_REDIS_URL", Value: "redis://:secret@redis:6379"})
			},
			"a password in a ConfigMap": func(c cluster) { set(c, "VITRINE_UPSTREAM_URL", "http://user:secret@vitrine:8080") },
			"an API key": func(c cluster) {
				c.container().Env = append(c.container().Env, core.EnvVar{Name: "OTEL_EXPORTER_OTLP_HEADERS", Value: "authorization=Bearer%20x"})
			},
		},
	}, {
		desc: "Redis' address comes from a Secret made elsewhere", only: "production",
		holds: func(c cluster) (wrong []string) {
			for _, v := range c.container().Env {
				if v.Name == "VITRINE_REDIS_URL" && v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil &&
					v.ValueFrom.SecretKeyRef.Name == "vitrine-redis" && !ptr.Deref(v.ValueFrom.SecretKeyRef.Optional, false) {
					return nil
				}
			}
			return []string{"it does not"}
		},
		breaks: map[string]func(cluster){
			"not at all": func(c cluster) { c.container().Env = nil },
			"if there is one": func(c cluster) {
				for _, v := range c.container().Env {
					if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
						v.ValueFrom.SecretKeyRef.Optional = ptr.To(true)
					}
				}
			},
		},
	}, {
		desc: "samples and spans say which pod they are of", only: "production",
		holds: func(c cluster) (wrong []string) {
			var got []string
			for _, r := range the[*monitoring.PodMonitor](c).Spec.PodMetricsEndpoints[0].RelabelConfigs {
				got = append(got, fmt.Sprint(r.TargetLabel, "=", r.SourceLabels, ptr.Deref(r.Replacement, "")))
			}
			// Rules and dashboards ask for this job.
			if want := []string{"job=[]service", "instance=[__meta_kubernetes_pod_name]"}; !slices.Equal(got, want) {
				wrong = append(wrong, fmt.Sprintf("%q", got))
			}
			if s := the[*monitoring.PodMonitor](c).Spec; !ptr.Deref(s.ScrapeNativeHistograms, false) || !ptr.Deref(s.ScrapeClassicHistograms, false) {
				wrong = append(wrong, "half of the histograms are missing")
			}
			if !strings.Contains(c.settings()["OTEL_RESOURCE_ATTRIBUTES"], "k8s.pod.name=$(K8S_POD_NAME)") || c.settings()["OTEL_TRACES_SAMPLER"] != "parentbased_traceidratio" {
				wrong = append(wrong, fmt.Sprint(c.settings()))
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"another job": func(c cluster) {
				the[*monitoring.PodMonitor](c).Spec.PodMetricsEndpoints[0].RelabelConfigs[0].Replacement = ptr.To("vitrine")
			},
			"addresses": func(c cluster) {
				e := &the[*monitoring.PodMonitor](c).Spec.PodMetricsEndpoints[0]
				e.RelabelConfigs = e.RelabelConfigs[:1]
			},
			"native ones alone": func(c cluster) { the[*monitoring.PodMonitor](c).Spec.ScrapeClassicHistograms = nil },
			"every trace":       func(c cluster) { set(c, "OTEL_TRACES_SAMPLER", "always_on") },
		},
	}}
}

// secrets are objects of that kind, URLs with a password, and headers.
func secrets(c cluster) (wrong []string) {
	if found := all[*core.Secret](c); len(found) > 0 {
		wrong = append(wrong, found[0].Name)
	}
	for name, value := range c.settings() {
		u, err := url.Parse(value)
		if err == nil && u.User != nil || strings.HasSuffix(name, "_HEADERS") || strings.Contains(strings.ToLower(value), "password") {
			wrong = append(wrong, name)
		}
	}
	return wrong
}
