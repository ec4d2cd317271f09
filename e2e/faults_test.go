//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDrills: each fault is seen where docs/operations.md says.
func TestDrills(t *testing.T) {
	program := filepath.Join(t.TempDir(), "drill")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./drill").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	args := []string{"-project", project, "-dir", ".."}
	if dir := os.Getenv("VITRINE_PICTURES"); dir != "" && hasPages(t, "prometheus") && hasPages(t, "jaeger") {
		args = append(args, "-pictures", dir)
	}
	for _, name := range []string{"stampede", "errors", "redis-down", "replica-killed", "slow-origin", "origin-down", "overload"} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), program, append(args, name)...).CombinedOutput()
			t.Logf("\n%s", out)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
