package main

import (
	"fmt"
	"slices"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	budget "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

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
