package e2e

import (
	"os/exec"
	"testing"

	"vitrine/e2e/component"
)

// TestSchema: what the dashboards say is what Grafana's own types have, from release 11 on.
func TestSchema(t *testing.T) {
	const dir = "../grafana/schema"
	component.NPM(t, dir)
	check := exec.Command(component.Command(t, "node"), "check.mjs")
	check.Dir = dir
	out, err := check.CombinedOutput()
	t.Logf("\n%s", out)
	if err != nil {
		t.Error(err)
	}
}
