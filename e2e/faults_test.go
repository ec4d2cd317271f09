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
	for _, name := range []string{"stampede", "errors", "redis-down", "replica-killed", "slow-origin"} {
		t.Run(name, func(t *testing.T) {
			args := []string{"-project", project, "-dir", "..", name}
			if dir := os.Getenv("VITRINE_PICTURES"); dir != "" && hasPages(t, "prometheus") && hasPages(t, "jaeger") {
				args = append([]string{"-pictures", dir}, args...)
			}
			out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
			t.Logf("\n%s", out)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
