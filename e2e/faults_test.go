//go:build e2e

package e2e

import (
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
			out, err := exec.CommandContext(t.Context(), program, "-project", project, "-dir", "..", name).CombinedOutput()
			t.Logf("\n%s", out)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
