//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docker/go-units"
)

// TestMemory: what the whole stack takes, Grafana left out, fits beside an editor and a browser.
func TestMemory(t *testing.T) {
	const most = 450 * units.MiB
	out, err := running.Compose(t.Context(), "stats", "--no-stream", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	var table []string
	for line := range strings.Lines(out) {
		var container struct{ Name, MemUsage string }
		if err := json.Unmarshal([]byte(line), &container); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		used, _, _ := strings.Cut(container.MemUsage, " / ")
		n, err := units.RAMInBytes(used)
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		table = append(table, fmt.Sprintf("%-30s %6.1f MiB", container.Name, float64(n)/units.MiB))
		if !strings.Contains(container.Name, "-grafana-") {
			sum += n
		}
	}
	slices.Sort(table)
	t.Logf("\n%s\n%-30s %6.1f MiB", strings.Join(table, "\n"), "all but Grafana", float64(sum)/units.MiB)
	if len(table) < len(services) || sum > most {
		t.Errorf("%d containers take %d bytes, want at most %d", len(table), sum, int64(most))
	}
}

// TestMemoryLimit: the program knows what its container may take, and keeps its heap below.
func TestMemoryLimit(t *testing.T) {
	samples, err := running.Query(t.Context(), `go_gc_gomemlimit_bytes{job="service"} / on (instance) cgroup_memory_limit_bytes{job="service"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		if v := s.Point.Value(); v < .84 || v > .86 {
			t.Errorf("%s: GOMEMLIMIT is %.2f of the container's limit, want 0.85", s.Metric["instance"], v)
		}
	}
}
