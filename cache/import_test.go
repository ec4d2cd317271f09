package cache_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAnotherModuleImports builds a program outside this module that uses cache and telemetry.
func TestAnotherModuleImports(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.sum": string(sums),
		"go.mod": "module shop\n\ngo 1.26.0\n\nrequire vitrine v0.0.0\n\nreplace vitrine => " + root + "\n",
		"main.go": `package main

import (
	"context"
	"net/http"
	"time"

	"vitrine/cache"
	"vitrine/telemetry"
)

func main() {
	t, err := telemetry.Setup(context.Background(), telemetry.Options{Service: "shop"})
	if err != nil {
		panic(err)
	}
	c, err := cache.New(nil, cache.Options{Name: "prices", TTL: time.Minute, Registerer: t.Registry, TracerProvider: t.TracerProvider, Logger: t.Logger})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", c.Handler(http.NotFoundHandler()))
	_ = t.Server(mux, nil)
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-mod=mod", "-o", os.DevNull, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
