package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// manifests are README.md's: blocks, fenced or indented, that begin with an apiVersion.
func manifests(t *testing.T) (documents []string) {
	t.Helper()
	readme := text(t, "../README.md")
	for _, m := range regexp.MustCompile("(?ms)^```ya?ml\n(apiVersion:.*?)^```$").FindAllStringSubmatch(readme, -1) {
		documents = append(documents, strings.Split(m[1], "\n---\n")...)
	}
	for _, block := range regexp.MustCompile(`(?m)^    apiVersion:.*\n(?:(?:    .*)?\n)*`).FindAllString(readme, -1) {
		documents = append(documents, strings.Split(regexp.MustCompile(`(?m)^    `).ReplaceAllString(block, ""), "\n---\n")...)
	}
	return documents
}

// TestReadme: README.md's smallest example is what Kubernetes takes, and its Service finds its pods, which answer.
func TestReadme(t *testing.T) {
	known, objects := kinds(t), []runtime.Object(nil)
	for _, document := range manifests(t) {
		object, err := decode(known, bytes.TrimSpace([]byte(document)))
		if err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
		objects = append(objects, object)
	}
	if len(objects) != 2 {
		t.Fatalf("README.md has %d manifests, want a Deployment and a Service", len(objects))
	}
	example, ports := cluster{overlay: "README.md", objects: objects}, defaults(t)
	if d, s := the[*apps.Deployment](example), the[*core.Service](example); !selects(d.Spec.Selector, d) || !covers(s.Spec.Selector, d.Spec.Template.Labels) {
		t.Error("selectors do not find the pods")
	} else if len(s.Spec.Ports) != 1 || fmt.Sprint(":", s.Spec.Ports[0].Port) != ports["VITRINE_ADDR"] {
		t.Errorf("the service has %v", s.Spec.Ports)
	}
	k := example.container()
	for path, p := range map[string]*core.Probe{"/readyz": k.ReadinessProbe, "/livez": k.LivenessProbe} {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Path != path || ":"+p.HTTPGet.Port.String() != ports["VITRINE_OPS_ADDR"] {
			t.Errorf("nothing asks for %s", path)
		}
	}
}

func covers(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}
