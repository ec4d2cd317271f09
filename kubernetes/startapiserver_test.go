package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

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
