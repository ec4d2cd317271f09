package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// moduleFolder is where the sources of a module are.
func moduleFolder(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(module, err)
	}
	return strings.TrimSpace(string(out))
}

// customResources are those that the production overlay assumes: the operator's, made from its types as it makes them
// itself, and those that the Gateway API's module has.
func customResources(t *testing.T) []string {
	t.Helper()
	const operator = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	dir := t.TempDir()
	out, err := exec.Command("go", "tool", "controller-gen", "crd:crdVersions=v1", "paths="+operator, "output:crd:dir="+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return []string{
		filepath.Join(dir, "monitoring.coreos.com_podmonitors.yaml"),
		filepath.Join(dir, "monitoring.coreos.com_prometheusrules.yaml"),
		filepath.Join(moduleFolder(t, "sigs.k8s.io/gateway-api"), "config", "crd", "standard", "gateway.networking.k8s.io_httproutes.yaml"),
	}
}

// TestAPIServer: a real API server takes each overlay with neither an error nor a warning, admits the pods that would
// come of it into the namespace, and refuses what is wrong.
func TestAPIServer(t *testing.T) {
	t.Parallel()
	a := startAPIServer(t)
	for _, name := range overlays { // local first: it must do without custom resources
		if name == "production" {
			a.install(t, customResources(t))
		}
		t.Run(name, func(t *testing.T) {
			texts := build(t, filepath.Join("overlays", name))
			slices.SortStableFunc(texts, func(x, y []byte) int { return rank(x) - rank(y) })
			for _, text := range texts {
				eventually(t, "apply", func() error {
					said, err := a.apply(t.Context(), text)
					if len(said) > 0 {
						t.Errorf("warned: %q\n%s", said, text)
					}
					if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
						return err // the namespace, or the kind, is a moment old
					}
					if err != nil {
						t.Fatalf("%v\n%s", err, text)
					}
					return nil
				})
			}
			for _, text := range texts {
				var d deployment
				if err := yaml.Unmarshal(text, &d); err != nil {
					t.Fatal(err)
				}
				if d.Kind == "Deployment" {
					a.admits(t, d)
				}
			}
		})
	}
	t.Run("refusals", a.refuses)
}

// rank puts the namespace before what is in it.
func rank(text []byte) int {
	if strings.Contains(string(text), "\nkind: Namespace\n") {
		return 0
	}
	return 1
}

func (a *apiserver) install(t *testing.T, files []string) {
	t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.apply(t.Context(), text); err != nil {
			t.Fatal(file, err)
		}
	}
}

type deployment struct {
	Kind     string
	Metadata struct{ Namespace string }
	Spec     struct{ Template map[string]any }
}

// podOf is a pod of the deployment's template, as its ReplicaSet would create it.
func podOf(d deployment, change func(spec map[string]any)) *unstructured.Unstructured {
	pod := unstructured.Unstructured{Object: d.Spec.Template}
	pod = *pod.DeepCopy()
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetNamespace(d.Metadata.Namespace)
	pod.SetGenerateName("vitrine-")
	if change != nil {
		change(pod.Object["spec"].(map[string]any))
	}
	return &pod
}

func (a *apiserver) create(ctx context.Context, pod *unstructured.Unstructured) error {
	pods, err := a.resource(pod.GroupVersionKind(), pod.GetNamespace())
	if err != nil {
		return err
	}
	_, err = pods.Create(ctx, pod, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	return err
}

func (a *apiserver) admits(t *testing.T, d deployment) {
	t.Helper()
	if err := a.create(t.Context(), podOf(d, nil)); err != nil {
		t.Errorf("its pod is not admitted: %v", err)
	}
	for what, change := range map[string]func(map[string]any){
		"privileged": func(spec map[string]any) {
			container := spec["containers"].([]any)[0].(map[string]any)
			container["securityContext"] = map[string]any{"privileged": true}
		},
		"a root": func(spec map[string]any) {
			spec["securityContext"].(map[string]any)["runAsNonRoot"] = false
		},
		"of the host's network": func(spec map[string]any) { spec["hostNetwork"] = true },
	} {
		if err := a.create(t.Context(), podOf(d, change)); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// refuses shows that the silence of the API server means something.
func (a *apiserver) refuses(t *testing.T) {
	for _, text := range build(t, "overlays/production") {
		if rank(text) == 0 {
			continue
		}
		var object map[string]any
		if err := yaml.Unmarshal(text, &object); err != nil {
			t.Fatal(err)
		}
		object["bogus"] = true
		wrong, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.apply(t.Context(), wrong); err == nil {
			t.Errorf("a field that there is not was taken:\n%s", text)
		}
		if object["kind"] != "Deployment" {
			continue
		}
		rooted := strings.Replace(string(text), "runAsNonRoot: true", "runAsNonRoot: false", 1)
		if said, err := a.apply(t.Context(), []byte(rooted)); err != nil || len(said) == 0 {
			t.Errorf("a Deployment of roots was not warned of: %q, %v", said, err)
		}
	}
}
