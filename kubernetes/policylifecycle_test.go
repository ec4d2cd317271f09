package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	budget "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// lifecyclePolicies are about replicas that come and go.
func lifecyclePolicies(t *testing.T) []policy {
	wanted, err := strconv.Atoi(find(t, "../prometheus/rules/alerts.yml", `record: vitrine:replicas_wanted:count\s+expr: vector\((\d+)\)`)[0])
	if err != nil {
		t.Fatal(err)
	}
	signals := text(t, "../docs/signals.md")
	return []policy{{
		desc:  "a replica has the time to drain",
		holds: drains,
		breaks: map[string]func(cluster){
			"the default grace": func(c cluster) { c.pod().TerminationGracePeriodSeconds = nil },
			"no margin":         func(c cluster) { c.pod().TerminationGracePeriodSeconds = ptr.To[int64](30) },
			"a preStop that takes it up": func(c cluster) {
				c.container().Lifecycle = &core.Lifecycle{PreStop: &core.LifecycleHandler{Sleep: &core.SleepAction{Seconds: 10}}}
			},
			"a preStop of unknown length": func(c cluster) {
				c.container().Lifecycle = &core.Lifecycle{PreStop: &core.LifecycleHandler{Exec: &core.ExecAction{Command: []string{"sleep"}}}}
			},
			"no drain": func(c cluster) { set(c, "VITRINE_DRAIN_DELAY", "0s") },
			"a shutdown shorter than a load": func(c cluster) {
				set(c, "VITRINE_SHUTDOWN_TIMEOUT", "15s")
			},
		},
	}, {
		desc: "a rollout takes no replica before there is another, and stops where it gets nowhere",
		holds: func(c cluster) (wrong []string) {
			d := the[*apps.Deployment](c).Spec
			roll := ptr.Deref(d.Strategy.RollingUpdate, apps.RollingUpdateDeployment{})
			if d.Strategy.Type != apps.RollingUpdateDeploymentStrategyType || ptr.Deref(roll.MaxUnavailable, intstr.FromInt32(1)) != intstr.FromInt32(0) ||
				ptr.Deref(roll.MaxSurge, intstr.FromInt32(0)) == intstr.FromInt32(0) || d.MinReadySeconds == 0 || ptr.Deref(d.RevisionHistoryLimit, 10) < 2 {
				wrong = append(wrong, fmt.Sprintf("%+v, ready after %d s", d.Strategy, d.MinReadySeconds))
			}
			if start := c.container().StartupProbe; ptr.Deref(d.ProgressDeadlineSeconds, 600) > 300 || *d.ProgressDeadlineSeconds <= start.PeriodSeconds*start.FailureThreshold {
				wrong = append(wrong, "a rollout that gets nowhere shows late, or too early")
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"Recreate": func(c cluster) {
				the[*apps.Deployment](c).Spec.Strategy = apps.DeploymentStrategy{Type: apps.RecreateDeploymentStrategyType}
			},
			"one fewer": func(c cluster) {
				the[*apps.Deployment](c).Spec.Strategy.RollingUpdate.MaxUnavailable = ptr.To(intstr.FromInt32(1))
			},
			"the default":    func(c cluster) { the[*apps.Deployment](c).Spec.Strategy.RollingUpdate = nil },
			"ready at once":  func(c cluster) { the[*apps.Deployment](c).Spec.MinReadySeconds = 0 },
			"no way back":    func(c cluster) { the[*apps.Deployment](c).Spec.RevisionHistoryLimit = ptr.To[int32](0) },
			"a short breath": func(c cluster) { the[*apps.Deployment](c).Spec.ProgressDeadlineSeconds = ptr.To[int32](30) },
		},
	}, {
		desc: "a node can be drained, and not all replicas at once",
		holds: func(c cluster) (wrong []string) {
			b := the[*budget.PodDisruptionBudget](c).Spec
			if b.MinAvailable != nil || ptr.Deref(b.MaxUnavailable, intstr.FromInt32(0)) != intstr.FromInt32(1) || least(c) < 2 ||
				ptr.Deref(b.UnhealthyPodEvictionPolicy, "") != budget.AlwaysAllow {
				wrong = append(wrong, fmt.Sprintf("of %d: %+v", least(c), b))
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"never": func(c cluster) {
				the[*budget.PodDisruptionBudget](c).Spec.MaxUnavailable = ptr.To(intstr.FromInt32(0))
			},
			"all": func(c cluster) {
				the[*budget.PodDisruptionBudget](c).Spec.MaxUnavailable = ptr.To(intstr.FromString("100%"))
			},
			"none but all": func(c cluster) {
				b := &the[*budget.PodDisruptionBudget](c).Spec
				b.MaxUnavailable, b.MinAvailable = nil, ptr.To(intstr.FromInt32(3))
			},
			"a broken one in the way": func(c cluster) { the[*budget.PodDisruptionBudget](c).Spec.UnhealthyPodEvictionPolicy = nil },
		},
	}, {
		desc: "there are as many replicas as ReplicaDown wants", // see prometheus/rules/alerts.yml
		holds: func(c cluster) (wrong []string) {
			if n := least(c); n != wanted {
				wrong = append(wrong, fmt.Sprintf("%d, and %d are wanted", n, wanted))
			}
			if len(all[*autoscaling.HorizontalPodAutoscaler](c)) > 0 == (the[*apps.Deployment](c).Spec.Replicas != nil) {
				wrong = append(wrong, "either the deployment says how many, or what scales it")
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"fewer": func(c cluster) {
				if c.overlay == "production" {
					*the[*autoscaling.HorizontalPodAutoscaler](c).Spec.MinReplicas = 2
				} else {
					*the[*apps.Deployment](c).Spec.Replicas = 2
				}
			},
			"both, or neither": func(c cluster) {
				d := &the[*apps.Deployment](c).Spec
				if d.Replicas == nil {
					d.Replicas = ptr.To[int32](3)
				} else {
					d.Replicas = nil
				}
			},
		},
	}, {
		desc: "what scales knows what waits, and takes its time", only: "production",
		holds: func(c cluster) (wrong []string) {
			h := the[*autoscaling.HorizontalPodAutoscaler](c).Spec
			var names []string
			for _, m := range h.Metrics {
				switch {
				case m.Resource != nil && ptr.Deref(m.Resource.Target.AverageUtilization, 100) < 100:
					names = append(names, string(m.Resource.Name))
				case m.Pods != nil && strings.Contains(signals, "\n| `"+m.Pods.Metric.Name+"` | gauge |"):
					names = append(names, m.Pods.Metric.Name)
					loads, err := strconv.ParseInt(c.settings()["VITRINE_CACHE_LOADS"], 10, 64)
					if n := m.Pods.Target.AverageValue.Value(); err != nil || n > loads {
						wrong = append(wrong, fmt.Sprintf("%d in flight are more than the loads that run", n))
					}
				}
			}
			if !slices.Equal(names, []string{"cpu", "http_server_active_requests"}) {
				wrong = append(wrong, fmt.Sprintf("by %q", names))
			}
			down := h.Behavior.ScaleDown
			if ptr.Deref(down.StabilizationWindowSeconds, 0) < 300 || len(down.Policies) != 1 || down.Policies[0].Type != autoscaling.PodsScalingPolicy || h.MaxReplicas <= *h.MinReplicas {
				wrong = append(wrong, fmt.Sprintf("down: %+v, to %d", down, h.MaxReplicas))
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"at once": func(c cluster) {
				the[*autoscaling.HorizontalPodAutoscaler](c).Spec.Behavior.ScaleDown.StabilizationWindowSeconds = ptr.To[int32](0)
			},
			"half of them": func(c cluster) {
				the[*autoscaling.HorizontalPodAutoscaler](c).Spec.Behavior.ScaleDown.Policies[0].Type = autoscaling.PercentScalingPolicy
			},
			"only processors": func(c cluster) {
				h := &the[*autoscaling.HorizontalPodAutoscaler](c).Spec
				h.Metrics = h.Metrics[:1]
			},
			"no such metric": func(c cluster) {
				the[*autoscaling.HorizontalPodAutoscaler](c).Spec.Metrics[1].Pods.Metric.Name = "http_requests_in_flight"
			},
			"too late": func(c cluster) {
				the[*autoscaling.HorizontalPodAutoscaler](c).Spec.Metrics[1].Pods.Target.AverageValue.Set(64)
			},
			"no room": func(c cluster) { the[*autoscaling.HorizontalPodAutoscaler](c).Spec.MaxReplicas = 3 },
		},
	}}
}

// least is how many replicas there are when nothing is wrong and nobody comes.
func least(c cluster) int {
	for _, h := range all[*autoscaling.HorizontalPodAutoscaler](c) {
		return int(ptr.Deref(h.Spec.MinReplicas, 1))
	}
	return int(ptr.Deref(the[*apps.Deployment](c).Spec.Replicas, 1))
}

// drains adds up what ends a replica: the kubelet's patience begins before preStop.
func drains(c cluster) (wrong []string) {
	const margin = 5 * time.Second
	var preStop time.Duration
	if l := c.container().Lifecycle; l != nil && l.PreStop != nil {
		if l.PreStop.Sleep == nil {
			return []string{"nobody knows how long preStop takes, and the image has no shell"}
		}
		preStop = time.Duration(l.PreStop.Sleep.Seconds) * time.Second
	}
	drain, shutdown := duration(c.settings()["VITRINE_DRAIN_DELAY"]), duration(c.settings()["VITRINE_SHUTDOWN_TIMEOUT"])
	grace := time.Duration(ptr.Deref(c.pod().TerminationGracePeriodSeconds, 30)) * time.Second
	if need := preStop + drain + shutdown + margin; grace < need {
		wrong = append(wrong, fmt.Sprintf("it needs %v, and gets %v", need, grace))
	}
	// Endpoints are gone everywhere before the listener closes.
	if drain < 5*time.Second {
		wrong = append(wrong, fmt.Sprintf("it drains for %v", drain))
	}
	// service/lifecycle.go: requests get four fifths.
	if load := duration(c.settings()["VITRINE_CACHE_LOAD_TIMEOUT"]); load > shutdown/5*4 {
		wrong = append(wrong, fmt.Sprintf("a load may take %v, a shutdown %v", load, shutdown))
	}
	return wrong
}

// duration is 0 for what is none.
func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0
	}
	return d
}

// set changes a setting of the program.
func set(c cluster, name, value string) {
	for _, m := range all[*core.ConfigMap](c) {
		if _, there := m.Data[name]; there {
			m.Data[name] = value
		}
	}
}
