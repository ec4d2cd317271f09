package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	budget "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// networkPolicies are about who finds and reaches whom.
func networkPolicies(t *testing.T) []policy {
	exposed := find(t, "../Dockerfile", `(?m)^EXPOSE (\d+) (\d+)$`)
	initial := defaults(t)
	return []policy{{
		desc:  "selectors find the replicas and nothing else",
		holds: selectors,
		breaks: map[string]func(cluster){
			"Service":     func(c cluster) { the[*core.Service](c).Spec.Selector["app.kubernetes.io/name"] = "other" },
			"all of them": func(c cluster) { delete(the[*core.Service](c).Spec.Selector, "app.kubernetes.io/name") },
			"PodDisruptionBudget": func(c cluster) {
				the[*budget.PodDisruptionBudget](c).Spec.Selector.MatchLabels["app.kubernetes.io/name"] = "other"
			},
			"spread": func(c cluster) {
				c.pod().TopologySpreadConstraints[1].LabelSelector.MatchLabels["app.kubernetes.io/name"] = "other"
			},
			"the Deployment": func(c cluster) {
				the[*apps.Deployment](c).Spec.Selector.MatchLabels["app.kubernetes.io/name"] = "other"
			},
			"a NetworkPolicy": func(c cluster) {
				named(c, "to-redis").Spec.PodSelector.MatchLabels["app.kubernetes.io/name"] = "other"
			},
		},
	}, {
		desc: "what scales and scrapes finds the replicas", only: "production",
		holds: func(c cluster) (wrong []string) {
			target := the[*autoscaling.HorizontalPodAutoscaler](c).Spec.ScaleTargetRef
			if d := the[*apps.Deployment](c); target.Kind != "Deployment" || target.Name != d.Name || target.APIVersion != "apps/v1" {
				wrong = append(wrong, fmt.Sprint(target))
			}
			m := the[*monitoring.PodMonitor](c).Spec
			if !selects(&m.Selector, the[*apps.Deployment](c)) || len(m.PodMetricsEndpoints) != 1 || len(m.NamespaceSelector.MatchNames) > 0 {
				wrong = append(wrong, fmt.Sprint(m.Selector, m.PodMetricsEndpoints))
			} else if p := m.PodMetricsEndpoints[0]; ptr.Deref(p.Port, "") != "ops" || p.Path != "/metrics" {
				wrong = append(wrong, fmt.Sprint(*p.Port, p.Path))
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"another deployment": func(c cluster) { the[*autoscaling.HorizontalPodAutoscaler](c).Spec.ScaleTargetRef.Name = "other" },
			"another pod": func(c cluster) {
				the[*monitoring.PodMonitor](c).Spec.Selector.MatchLabels["app.kubernetes.io/name"] = "other"
			},
			"another port": func(c cluster) { the[*monitoring.PodMonitor](c).Spec.PodMetricsEndpoints[0].Port = ptr.To("http") },
		},
	}, {
		desc: "ports are those of the program and of its image",
		holds: func(c cluster) (wrong []string) {
			var ports []string
			for _, p := range c.container().Ports {
				ports = append(ports, fmt.Sprint(p.Name, " :", p.ContainerPort))
			}
			want := []string{"http " + initial["VITRINE_ADDR"], "ops " + initial["VITRINE_OPS_ADDR"]}
			if !slices.Equal(ports, want) || !slices.Equal(want, []string{"http :" + exposed[0], "ops :" + exposed[1]}) {
				wrong = append(wrong, fmt.Sprintf("the pod has %q, the program %q, the image %q", ports, want, exposed))
			}
			for name := range c.settings() {
				if strings.HasSuffix(name, "_ADDR") {
					wrong = append(wrong, name+" says something else")
				}
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"another port": func(c cluster) { c.container().Ports[0].ContainerPort = 80 },
			"another name": func(c cluster) { c.container().Ports[1].Name = "metrics" },
			"another address": func(c cluster) {
				c.container().Env = append(c.container().Env, core.EnvVar{Name: "VITRINE_OPS_ADDR", Value: ":9090"})
			},
		},
	}, {
		desc: "services have the public port alone, and the replicas' calls go there",
		holds: func(c cluster) (wrong []string) {
			for _, s := range all[*core.Service](c) {
				if s.Spec.Type != "" && s.Spec.Type != core.ServiceTypeClusterIP || len(s.Spec.Ports) != 1 || s.Spec.Ports[0].TargetPort.StrVal == "ops" || s.Spec.Ports[0].TargetPort.IntVal != 0 {
					wrong = append(wrong, fmt.Sprint(s.Name, s.Spec.Type, s.Spec.Ports))
				}
			}
			s := the[*core.Service](c)
			if p := s.Spec.Ports[0]; p.TargetPort.StrVal != "http" || c.settings()["VITRINE_UPSTREAM_URL"] != fmt.Sprintf("http://%s:%d", s.Name, p.Port) {
				wrong = append(wrong, fmt.Sprint(p, c.settings()["VITRINE_UPSTREAM_URL"]))
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"operations": func(c cluster) { the[*core.Service](c).Spec.Ports[0].TargetPort = intstr.FromString("ops") },
			"one more": func(c cluster) {
				s := &the[*core.Service](c).Spec
				s.Ports = append(s.Ports, core.ServicePort{Name: "ops", Port: 8081, TargetPort: intstr.FromString("ops")})
			},
			"a port of the node": func(c cluster) { the[*core.Service](c).Spec.Type = core.ServiceTypeNodePort },
			"another port":       func(c cluster) { the[*core.Service](c).Spec.Ports[0].Port = 80 },
		},
	}, {
		desc:  "nothing comes in or goes out unless it is named",
		holds: denied,
		breaks: map[string]func(cluster){
			"no default": func(c cluster) { named(c, "default-deny").Spec.PolicyTypes = nil },
			"in":         func(c cluster) { named(c, "default-deny").Spec.PolicyTypes = []networking.PolicyType{"Egress"} },
			"for one":    func(c cluster) { named(c, "default-deny").Spec.PodSelector.MatchLabels = map[string]string{"a": "b"} },
			"from everybody": func(c cluster) {
				named(c, "replicas").Spec.Ingress[0].From = nil
			},
			"to everybody":      func(c cluster) { named(c, "to-redis").Spec.Egress[0].To = nil },
			"to all namespaces": func(c cluster) { named(c, "dns").Spec.Egress[0].To[0].NamespaceSelector.MatchLabels = nil },
			"at every port":     func(c cluster) { named(c, "replicas").Spec.Ingress[0].Ports = nil },
			"replicas reach operations": func(c cluster) {
				named(c, "replicas").Spec.Ingress[0].Ports[0].Port = ptr.To(intstr.FromInt32(8081))
			},
			"no replica": func(c cluster) { named(c, "replicas").Spec.Egress = nil },
		},
	}, {
		desc: "clients do not say which trace they are in, and the gateway is more patient than the service", only: "production",
		holds: route,
		breaks: map[string]func(cluster){
			"traceparent": func(c cluster) {
				r := the[*gateway.HTTPRoute](c).Spec.Rules[0].Filters[0].RequestHeaderModifier
				r.Remove = r.Remove[1:]
			},
			"no filter": func(c cluster) { the[*gateway.HTTPRoute](c).Spec.Rules[0].Filters = nil },
			"a second rule": func(c cluster) {
				r := &the[*gateway.HTTPRoute](c).Spec
				r.Rules = append(r.Rules, gateway.HTTPRouteRule{BackendRefs: r.Rules[0].BackendRefs})
			},
			"impatience": func(c cluster) {
				the[*gateway.HTTPRoute](c).Spec.Rules[0].Timeouts.BackendRequest = ptr.To[gateway.Duration]("15s")
			},
			"endless patience": func(c cluster) { the[*gateway.HTTPRoute](c).Spec.Rules[0].Timeouts = nil },
			"another port":     func(c cluster) { *the[*gateway.HTTPRoute](c).Spec.Rules[0].BackendRefs[0].Port = 8081 },
			"any host":         func(c cluster) { the[*gateway.HTTPRoute](c).Spec.Hostnames = nil },
		},
	}, {
		desc: "everything is in the namespace, which is restricted",
		holds: func(c cluster) (wrong []string) {
			n := the[*core.Namespace](c)
			for _, mode := range []string{"enforce", "audit", "warn"} {
				if n.Labels["pod-security.kubernetes.io/"+mode] != "restricted" {
					wrong = append(wrong, "it does not "+mode)
				}
			}
			for _, o := range c.objects {
				about, err := meta.Accessor(o)
				if _, itself := o.(*core.Namespace); err != nil || !itself && about.GetNamespace() != n.Name {
					wrong = append(wrong, fmt.Sprintf("%T %s is in %q", o, about.GetName(), about.GetNamespace()))
				}
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"elsewhere":   func(c cluster) { the[*core.Service](c).Namespace = "default" },
			"nowhere":     func(c cluster) { the[*budget.PodDisruptionBudget](c).Namespace = "" },
			"not warning": func(c cluster) { delete(the[*core.Namespace](c).Labels, "pod-security.kubernetes.io/warn") },
			"baseline":    func(c cluster) { the[*core.Namespace](c).Labels["pod-security.kubernetes.io/enforce"] = "baseline" },
		},
	}}
}
