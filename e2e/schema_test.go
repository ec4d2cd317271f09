package e2e

import (
	"os/exec"
	"regexp"
	"testing"

	"vitrine/e2e/component"
)

// TestSchema: what the dashboards say is what Grafana's own types have, from release 11 on.
func TestSchema(t *testing.T) {
	const dir = "../grafana/schema"
	install := exec.Command(component.Command(t, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		if regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT`).Match(out) {
			component.Missing(t, "npm-registry", string(out))
		}
		t.Fatalf("%v\n%s", err, out)
	}
	check := exec.Command(component.Command(t, "node"), "check.mjs")
	check.Dir = dir
	out, err := check.CombinedOutput()
	t.Logf("\n%s", out)
	if err != nil {
		t.Error(err)
	}
}
