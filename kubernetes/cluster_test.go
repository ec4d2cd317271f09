package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// overlays are what gets applied to clusters.
var overlays = []string{"local", "production"}

// cluster is what an overlay would make of one.
type cluster struct {
	overlay string
	objects []runtime.Object
}

// build runs kustomize over dir.
func build(t testing.TB, dir string) [][]byte {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", dir, err)
	}
	var texts [][]byte
	for _, o := range objects.Resources() {
		texts = append(texts, []byte(o.MustYaml()))
	}
	return texts
}

// kinds are those that manifests may have: Kubernetes' own, the Prometheus operator's and the Gateway API's.
func kinds(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, monitoring.AddToScheme, gateway.Install} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// decode refuses what the kind's type has no field for, and kinds that have no type.
func decode(known *runtime.Scheme, text []byte) (runtime.Object, error) {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, known, known, json.SerializerOptions{Yaml: true, Strict: true})
	object, _, err := strict.Decode(text, nil, nil)
	return object, err
}

func overlay(t testing.TB, name string) cluster {
	t.Helper()
	known, c := kinds(t), cluster{overlay: name}
	for _, text := range build(t, filepath.Join("overlays", name)) {
		object, err := decode(known, text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		c.objects = append(c.objects, object)
	}
	return c
}

func (c cluster) clone() cluster {
	objects := make([]runtime.Object, len(c.objects))
	for i, o := range c.objects {
		objects[i] = o.DeepCopyObject()
	}
	return cluster{c.overlay, objects}
}

// all are the objects of one kind.
func all[T runtime.Object](c cluster) (found []T) {
	for _, o := range c.objects {
		if o, ok := o.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// the is the one object of its kind that is called vitrine. That it is there, TestKinds shows.
func the[T runtime.Object](c cluster) T {
	found := slices.DeleteFunc(all[T](c), func(o T) bool { return title(o) != "vitrine" })
	if len(found) != 1 {
		panic(fmt.Sprintf("%d of %T", len(found), *new(T)))
	}
	return found[0]
}

func title(o runtime.Object) string {
	about, err := meta.Accessor(o)
	if err != nil {
		panic(err) // objects have names
	}
	return about.GetName()
}

func (c cluster) pod() *core.PodSpec { return &the[*apps.Deployment](c).Spec.Template.Spec }

func (c cluster) container() *core.Container { return &c.pod().Containers[0] }

// settings are the environment of the program, as far as it is written down.
func (c cluster) settings() map[string]string {
	env := map[string]string{}
	for _, from := range c.container().EnvFrom {
		for _, m := range all[*core.ConfigMap](c) {
			if from.ConfigMapRef != nil && m.Name == from.ConfigMapRef.Name {
				for k, v := range m.Data {
					env[k] = v
				}
			}
		}
	}
	for _, v := range c.container().Env {
		env[v.Name] = v.Value
	}
	return env
}

// TestStrict: what decodes, decodes strictly, or the tests that follow would look at half of what is applied.
func TestStrict(t *testing.T) {
	known := kinds(t)
	for _, dir := range []string{"base", "monitoring", "../grafana", "overlays/local", "overlays/production"} {
		texts := build(t, dir)
		if len(texts) == 0 {
			t.Errorf("%s is empty", dir)
		}
		for _, text := range texts {
			if _, err := decode(known, text); err != nil {
				t.Errorf("%s: %v", dir, err)
			}
			if _, err := decode(known, append(bytes.Clone(text), "\nbogus: true\n"...)); err == nil {
				t.Errorf("%s: an unknown field was decoded:\n%s", dir, text)
			}
		}
	}
	if _, err := decode(known, []byte("{apiVersion: example.com/v1, kind: Unknown}")); err == nil {
		t.Error("an unknown kind was decoded")
	}
}

// TestKinds: which objects there are. The local overlay needs no custom resources.
func TestKinds(t *testing.T) {
	common := []string{"ConfigMap", "Deployment", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"}
	wants := map[string][]string{
		"local":      common,
		"production": append(slices.Clone(common), "HTTPRoute", "HorizontalPodAutoscaler", "PodMonitor", "PrometheusRule"),
	}
	for _, name := range overlays {
		var got []string
		for _, o := range overlay(t, name).objects {
			got = append(got, o.GetObjectKind().GroupVersionKind().Kind)
		}
		slices.Sort(got)
		want := slices.Clone(wants[name])
		slices.Sort(want)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
}
