package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// apiserver is a real API server without a cluster behind it: it admits, validates and keeps.
type apiserver struct {
	config   *rest.Config
	warnings *warnings
}

type warnings struct {
	sync.Mutex
	texts []string
}

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.Lock()
	defer w.Unlock()
	w.texts = append(w.texts, text)
}

// take returns what was said since it was last asked.
func (w *warnings) take() (texts []string) {
	w.Lock()
	defer w.Unlock()
	texts, w.texts = w.texts, nil
	return texts
}

func startAPIServer(t *testing.T) *apiserver {
	t.Helper()
	server, etcd := command(t, "kube-apiserver"), command(t, "etcd")
	dir := t.TempDir()
	store, peers, at := "http://"+freeAddr(t), "http://"+freeAddr(t), freeAddr(t)
	process(t, nil, etcd, "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", store, "--advertise-client-urls", store,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers)

	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := write("accounts.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	token := rand.Text()
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	process(t, nil, server, "--etcd-servers", store, "--bind-address", host, "--secure-port", port, "--advertise-address", host,
		"--cert-dir", filepath.Join(dir, "certificates"), "--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.0.0.0/24",
		"--service-account-issuer", "https://"+at, "--service-account-signing-key-file", keyFile, "--service-account-key-file", keyFile,
		"--authorization-mode", "AlwaysAllow", "--allow-privileged", "--token-auth-file", write("tokens.csv", token+",tester,1\n"))

	a := &apiserver{warnings: new(warnings)}
	a.config = &rest.Config{
		Host: "https://" + at, BearerToken: token, WarningHandler: a.warnings, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(dir, "certificates", "apiserver.crt"), ServerName: "kubernetes.default.svc"},
	}
	eventually(t, "the API server is ready", func() error {
		if _, err := os.Stat(a.config.CAFile); err != nil {
			return err
		}
		client, err := discovery.NewDiscoveryClientForConfig(a.config)
		if err != nil {
			return err
		}
		return client.RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error()
	})
	return a
}

// apply is kubectl apply --server-side with validation: an object's warnings come back, or why it is refused.
func (a *apiserver) apply(ctx context.Context, text []byte) ([]string, error) {
	var object unstructured.Unstructured
	if err := yaml.Unmarshal(text, &object.Object); err != nil {
		return nil, err
	}
	resource, err := a.resource(object.GroupVersionKind(), object.GetNamespace())
	if err != nil {
		return nil, err
	}
	data, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	a.warnings.take()
	_, err = resource.Patch(ctx, object.GetName(), "application/apply-patch+yaml", data,
		metav1.PatchOptions{FieldManager: "test", FieldValidation: metav1.FieldValidationStrict})
	return a.warnings.take(), err
}

func (a *apiserver) resource(kind schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	found, err := discovery.NewDiscoveryClientForConfig(a.config)
	if err != nil {
		return nil, err
	}
	groups, err := restmapper.GetAPIGroupResources(found)
	if err != nil {
		return nil, err
	}
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(a.config)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return client.Resource(mapping.Resource).Namespace(namespace), nil
	}
	return client.Resource(mapping.Resource), nil
}

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
