package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	budget "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// networkPolicies are about who finds and reaches whom.
func networkPolicies(t *testing.T) []policy {
	exposed := find(t, "../Dockerfile", `(?m)^EXPOSE (\d+) (\d+)$`)
	initial := defaults(t)
	find(t, "../service/server.go", `WriteTimeout:\s+time\.Minute,`)
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

// writeTimeout is when the service breaks an answer off.
const writeTimeout = time.Minute

// named is a NetworkPolicy.
func named(c cluster, name string) *networking.NetworkPolicy {
	for _, p := range all[*networking.NetworkPolicy](c) {
		if p.Name == name {
			return p
		}
	}
	panic(name)
}

func selects(s *metav1.LabelSelector, d *apps.Deployment) bool {
	found, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && found.Matches(labels.Set(d.Spec.Template.Labels))
}

func selectors(c cluster) (wrong []string) {
	program := the[*apps.Deployment](c)
	only := func(what string, s *metav1.LabelSelector, want *apps.Deployment) {
		for _, d := range all[*apps.Deployment](c) {
			if selects(s, d) != (d == want) || len(s.MatchLabels) == 0 {
				wrong = append(wrong, fmt.Sprintf("%s: %s", what, metav1.FormatLabelSelector(s)))
			}
		}
	}
	for _, d := range all[*apps.Deployment](c) {
		only("Deployment "+d.Name, d.Spec.Selector, d)
		for _, s := range all[*core.Service](c) {
			if s.Name == d.Name {
				only("Service "+s.Name, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, d)
			}
		}
	}
	only("PodDisruptionBudget", the[*budget.PodDisruptionBudget](c).Spec.Selector, program)
	places := map[string]bool{}
	for _, s := range program.Spec.Template.Spec.TopologySpreadConstraints {
		only(s.TopologyKey, s.LabelSelector, program)
		places[s.TopologyKey] = true
	}
	if !places[core.LabelHostname] || !places[core.LabelTopologyZone] {
		wrong = append(wrong, fmt.Sprintf("spread over %v", places))
	}
	for _, p := range all[*networking.NetworkPolicy](c) {
		whose := p.Spec.PodSelector
		if len(whose.MatchLabels) > 0 && !slices.ContainsFunc(all[*apps.Deployment](c), func(d *apps.Deployment) bool { return selects(&whose, d) }) {
			wrong = append(wrong, p.Name+" is about nobody")
		}
	}
	return wrong
}

// denied looks at the network policies: all of a namespace's add up.
func denied(c cluster) (wrong []string) {
	deny, program := false, the[*apps.Deployment](c)
	var in, out []int32 // ports at which replicas are reached, and at which they reach others
	for _, p := range all[*networking.NetworkPolicy](c) {
		everybody := len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) == 0
		if everybody && len(p.Spec.PolicyTypes) == 2 && len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 {
			deny = true
		}
		rule := func(peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort) (numbers []int32) {
			if len(peers) == 0 || len(ports) == 0 {
				wrong = append(wrong, p.Name+": everybody, or every port")
			}
			for _, peer := range peers {
				for _, s := range []*metav1.LabelSelector{peer.NamespaceSelector, peer.PodSelector} {
					if s != nil && len(s.MatchLabels) == 0 {
						wrong = append(wrong, p.Name+": it names nobody")
					}
				}
				if peer.NamespaceSelector == nil && peer.PodSelector == nil {
					wrong = append(wrong, p.Name+": by address")
				}
			}
			for _, port := range ports {
				numbers = append(numbers, port.Port.IntVal)
			}
			return numbers
		}
		for _, r := range p.Spec.Ingress {
			ports := rule(r.From, r.Ports)
			if selects(&p.Spec.PodSelector, program) {
				in = append(in, ports...)
			}
			if slices.Contains(ports, 8081) && !slices.ContainsFunc(r.From, func(f networking.NetworkPolicyPeer) bool {
				return f.NamespaceSelector != nil && f.NamespaceSelector.MatchLabels[core.LabelMetadataName] == "monitoring"
			}) {
				wrong = append(wrong, p.Name+": operations are for monitoring alone")
			}
		}
		for _, r := range p.Spec.Egress {
			ports := rule(r.To, r.Ports)
			if selects(&p.Spec.PodSelector, program) {
				out = append(out, ports...)
			}
		}
	}
	if !deny {
		wrong = append(wrong, "nothing is denied")
	}
	slices.Sort(in)
	slices.Sort(out)
	wantIn, wantOut := []int32{8080}, []int32{53, 6379, 8080}
	if c.overlay == "production" {
		wantIn, wantOut = append(wantIn, 8081), append([]int32{53, 4318}, wantOut[1:]...)
	}
	if in, out = slices.Compact(in), slices.Compact(out); !slices.Equal(in, wantIn) || !slices.Equal(out, wantOut) {
		wrong = append(wrong, fmt.Sprintf("in at %v, out to %v", in, out))
	}
	return wrong
}

func route(c cluster) (wrong []string) {
	r := the[*gateway.HTTPRoute](c).Spec
	if c.settings()["VITRINE_TRUST_TRACEPARENT"] != "true" {
		wrong = append(wrong, "replicas begin a trace each")
	}
	if len(r.Hostnames) == 0 {
		wrong = append(wrong, "any host leads here")
	}
	service := the[*core.Service](c)
	for _, rule := range r.Rules {
		var removed []string
		for _, f := range rule.Filters {
			if f.RequestHeaderModifier != nil {
				removed = append(removed, f.RequestHeaderModifier.Remove...)
			}
		}
		for _, name := range []string{"traceparent", "tracestate", "baggage"} {
			if !slices.Contains(removed, name) {
				wrong = append(wrong, name+" comes through")
			}
		}
		timeouts := ptr.Deref(rule.Timeouts, gateway.HTTPRouteTimeouts{})
		load := duration(c.settings()["VITRINE_CACHE_LOAD_TIMEOUT"])
		backend, whole := duration(string(ptr.Deref(timeouts.BackendRequest, ""))), duration(string(ptr.Deref(timeouts.Request, "")))
		if load == 0 || backend <= load || whole < backend || whole >= writeTimeout {
			wrong = append(wrong, fmt.Sprintf("a load may take %v, a replica %v, the whole %v", load, backend, whole))
		}
		for _, b := range rule.BackendRefs {
			if string(b.Name) != service.Name || ptr.Deref(b.Port, 0) != service.Spec.Ports[0].Port {
				wrong = append(wrong, fmt.Sprint("it leads to ", b.Name))
			}
		}
	}
	return wrong
}
