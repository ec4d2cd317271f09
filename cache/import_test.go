package cache_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"vitrine/e2e/component"
)

// own is this module, whatever it is called.
var own = path.Dir("vitrine/cache")

// linked are the modules of which a program has packages that imports vitrine/cache alone, with what needs them. It has no
// exporter, no SDK of OpenTelemetry and no page: those are whoever's who runs it.
var linked = []string{
	"github.com/dunglas/httpsfv", // structured fields: Cache-Status, CDN-Cache-Control
	"github.com/felixge/httpsnoop",
	"github.com/klauspost/compress",
	"github.com/maypok86/otter/v2", // the near tier
	"github.com/redis/go-redis/v9", // the far tier
	"github.com/sony/gobreaker/v2",
	"go.opentelemetry.io/otel/trace", // the API: without a provider it does nothing
	"github.com/prometheus/client_golang",
	own,
	// What these need.
	"github.com/beorn7/perks",
	"github.com/cespare/xxhash/v2",
	"github.com/munnerz/goautoneg",
	"github.com/prometheus/client_model",
	"github.com/prometheus/common",
	"github.com/prometheus/procfs",
	"go.opentelemetry.io/otel",
	"go.uber.org/atomic",
	"golang.org/x/sys",
	"google.golang.org/protobuf",
}

func TestLinksLittle(t *testing.T) {
	packages := component.Dependencies(t, "vitrine/cache")
	all := 0
	for _, p := range packages {
		all += len(p)
	}
	for module, p := range packages {
		if !slices.Contains(linked, module) {
			t.Errorf("of %d packages %d are of %s, which is not listed: %v", all, len(p), module, p)
		}
	}
	for _, module := range linked {
		if packages[module] == nil {
			t.Errorf("%s is not linked any more", module)
		}
	}
	if p := packages[own]; len(p) != 1 || p[0] != "vitrine/cache" {
		t.Errorf("of %d packages these are this module's: %v, want cache alone", all, p)
	}
}

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
		"go.mod": "module shop\n\ngo 1.26.0\n\nrequire " + own + " v0.0.0\n\nreplace " + own + " => " + root + "\n",
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
