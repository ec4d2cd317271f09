package main

import (
	"fmt"
	"regexp"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// versioned images have a tag that is a version, or are named by what they hold.
var versioned = regexp.MustCompile(`^[^@]+(:\d+(\.\d+){1,2}|@sha256:[0-9a-f]{64})$`)

// podPolicies are about each pod by itself.
func podPolicies() []policy {
	return []policy{{
		desc: "images have a version",
		holds: eachContainer(func(c cluster, p *core.PodSpec, k *core.Container) (wrong []string) {
			built := c.overlay == "local" && k.Image == "vitrine:dev" && k.ImagePullPolicy == core.PullNever
			if !built && !versioned.MatchString(k.Image) {
				wrong = append(wrong, k.Image)
			}
			return wrong
		}),
		breaks: map[string]func(cluster){
			"latest":         func(c cluster) { c.container().Image = "vitrine:latest" },
			"no tag":         func(c cluster) { c.container().Image = "registry.example.com:5000/vitrine" },
			"a short digest": func(c cluster) { c.container().Image = "vitrine@sha256:abc" },
			"what was built here, or is in a registry": func(c cluster) {
				c.container().Image, c.container().ImagePullPolicy = "vitrine:dev", core.PullIfNotPresent
			},
		},
	}, {
		desc: "resources are asked for, and memory is limited to what is",
		holds: eachContainer(func(_ cluster, _ *core.PodSpec, k *core.Container) (wrong []string) {
			r := k.Resources
			if r.Requests.Cpu().IsZero() || r.Requests.Memory().IsZero() || !r.Requests.Memory().Equal(*r.Limits.Memory()) {
				wrong = append(wrong, fmt.Sprintf("requests %v, limits %v", r.Requests, r.Limits))
			}
			if !r.Limits.Cpu().IsZero() {
				wrong = append(wrong, "a limit of processors throttles")
			}
			return wrong
		}),
		breaks: map[string]func(cluster){
			"no cpu request":    func(c cluster) { delete(c.container().Resources.Requests, core.ResourceCPU) },
			"no memory request": func(c cluster) { delete(c.container().Resources.Requests, core.ResourceMemory) },
			"no memory limit":   func(c cluster) { delete(c.container().Resources.Limits, core.ResourceMemory) },
			"a cpu limit": func(c cluster) {
				c.container().Resources.Limits[core.ResourceCPU] = c.container().Resources.Requests[core.ResourceCPU]
			},
		},
	}, {
		desc: "the program is confined",
		holds: eachContainer(func(c cluster, p *core.PodSpec, k *core.Container) (wrong []string) {
			check := func(ok bool, what string) {
				if !ok {
					wrong = append(wrong, k.Name+": "+what)
				}
			}
			pod, own := ptr.Deref(p.SecurityContext, core.PodSecurityContext{}), ptr.Deref(k.SecurityContext, core.SecurityContext{})
			drop := ptr.Deref(own.Capabilities, core.Capabilities{})
			check(ptr.Deref(pod.RunAsNonRoot, false), "it may be root")
			check(ptr.Deref(pod.RunAsUser, 0) > 0 && ptr.Deref(pod.RunAsGroup, 0) > 0, "it is root")
			check(pod.SeccompProfile != nil && pod.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault, "no seccomp profile")
			check(!ptr.Deref(own.AllowPrivilegeEscalation, true), "it may gain privileges")
			check(ptr.Deref(own.ReadOnlyRootFilesystem, false), "it may write to its image")
			check(len(drop.Drop) == 1 && drop.Drop[0] == "ALL" && len(drop.Add) == 0, "it has capabilities")
			check(!ptr.Deref(own.Privileged, false) && own.RunAsUser == nil && own.RunAsNonRoot == nil, "it differs from its pod")
			check(!p.HostNetwork && !p.HostPID && !p.HostIPC && len(p.Volumes) == 0, "it has something of the host's")
			check(len(p.InitContainers) == 0, "what comes before it is not looked at")
			return wrong
		}),
		breaks: map[string]func(cluster){
			"root":               func(c cluster) { c.pod().SecurityContext.RunAsUser = ptr.To[int64](0) },
			"group root":         func(c cluster) { c.pod().SecurityContext.RunAsGroup = nil },
			"perhaps root":       func(c cluster) { c.pod().SecurityContext.RunAsNonRoot = nil },
			"no seccomp":         func(c cluster) { c.pod().SecurityContext.SeccompProfile = nil },
			"escalation":         func(c cluster) { c.container().SecurityContext.AllowPrivilegeEscalation = nil },
			"a writable root":    func(c cluster) { c.container().SecurityContext.ReadOnlyRootFilesystem = nil },
			"capabilities":       func(c cluster) { c.container().SecurityContext.Capabilities = nil },
			"a capability":       func(c cluster) { c.container().SecurityContext.Capabilities.Add = []core.Capability{"NET_RAW"} },
			"its own user":       func(c cluster) { c.container().SecurityContext.RunAsUser = ptr.To[int64](1) },
			"no context":         func(c cluster) { c.container().SecurityContext = nil },
			"the host's network": func(c cluster) { c.pod().HostNetwork = true },
			"the host's files": func(c cluster) {
				c.pod().Volumes = []core.Volume{{VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/"}}}}
			},
		},
	}, {
		desc: "nobody has a token, or another's account",
		holds: func(c cluster) (wrong []string) {
			accounts := map[string]bool{}
			for _, a := range all[*core.ServiceAccount](c) {
				accounts[a.Name] = ptr.Deref(a.AutomountServiceAccountToken, true)
			}
			for _, d := range all[*apps.Deployment](c) {
				p := d.Spec.Template.Spec
				token, own := accounts[p.ServiceAccountName]
				if token || !own || p.ServiceAccountName != d.Name || ptr.Deref(p.AutomountServiceAccountToken, true) {
					wrong = append(wrong, d.Name)
				}
			}
			return wrong
		},
		breaks: map[string]func(cluster){
			"the pod's":        func(c cluster) { c.pod().AutomountServiceAccountToken = nil },
			"the account's":    func(c cluster) { the[*core.ServiceAccount](c).AutomountServiceAccountToken = ptr.To(true) },
			"the default":      func(c cluster) { c.pod().ServiceAccountName = "" },
			"one that is not":  func(c cluster) { the[*core.ServiceAccount](c).Name = "another" },
			"another's, there": func(c cluster) { c.pod().ServiceAccountName = "default" },
		},
	}, {
		desc: "services set no variables",
		holds: func(c cluster) (wrong []string) {
			for _, d := range all[*apps.Deployment](c) {
				if ptr.Deref(d.Spec.Template.Spec.EnableServiceLinks, true) {
					wrong = append(wrong, d.Name)
				}
			}
			return wrong
		},
		breaks: map[string]func(cluster){"they do": func(c cluster) { c.pod().EnableServiceLinks = nil }},
	}, {
		desc:  "probes ask what they are for",
		holds: probes,
		breaks: map[string]func(cluster){
			"no startup probe":   func(c cluster) { c.container().StartupProbe = nil },
			"no readiness probe": func(c cluster) { c.container().ReadinessProbe = nil },
			"no liveness probe":  func(c cluster) { c.container().LivenessProbe = nil },
			// It would kill what drains.
			"liveness is readiness":  func(c cluster) { c.container().LivenessProbe.HTTPGet.Path = "/readyz" },
			"readiness is liveness":  func(c cluster) { c.container().ReadinessProbe.HTTPGet.Path = "/livez" },
			"the public port":        func(c cluster) { c.container().ReadinessProbe.HTTPGet.Port = intstr.FromString("http") },
			"hasty liveness":         func(c cluster) { c.container().LivenessProbe.FailureThreshold = 1 },
			"impatient at the start": func(c cluster) { c.container().StartupProbe.FailureThreshold = 5 },
			"slow to see a drain":    func(c cluster) { c.container().ReadinessProbe.PeriodSeconds = 10 },
		},
	}}
}

// eachContainer asks about the containers of all deployments.
func eachContainer(ask func(cluster, *core.PodSpec, *core.Container) []string) func(cluster) []string {
	return func(c cluster) (wrong []string) {
		for _, d := range all[*apps.Deployment](c) {
			p := &d.Spec.Template.Spec
			for i := range p.Containers {
				wrong = append(wrong, ask(c, p, &p.Containers[i])...)
			}
		}
		return wrong
	}
}

func probes(c cluster) (wrong []string) {
	k := c.container()
	for _, want := range []struct {
		name, path string
		probe      *core.Probe
		least      int32 // seconds until it has failed
		most       int32
	}{
		{"startup", "/livez", k.StartupProbe, 30, 120},
		{"liveness", "/livez", k.LivenessProbe, 30, 120},
		{"readiness", "/readyz", k.ReadinessProbe, 3, 10},
	} {
		if want.probe == nil || want.probe.HTTPGet == nil {
			wrong = append(wrong, want.name+": there is none")
			continue
		}
		get := want.probe.HTTPGet
		if get.Path != want.path || get.Port.String() != "ops" {
			wrong = append(wrong, fmt.Sprintf("%s: %s at %s", want.name, get.Path, get.Port.String()))
		}
		if took := want.probe.PeriodSeconds * want.probe.FailureThreshold; took < want.least || took > want.most {
			wrong = append(wrong, fmt.Sprintf("%s: it has failed after %d s", want.name, took))
		}
	}
	return wrong
}
