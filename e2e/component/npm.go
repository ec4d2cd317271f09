package component

import (
	"os/exec"
	"regexp"
	"testing"
)

// NPM installs what the package-lock.json in dir names, or skips the test where the registry is not reached.
func NPM(t testing.TB, dir string) {
	t.Helper()
	install := exec.CommandContext(t.Context(), Command(t, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	out, err := install.CombinedOutput()
	switch {
	case err == nil:
	case regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT`).Match(out):
		Missing(t, "npm-registry", string(out))
	default:
		t.Fatalf("npm ci in %s: %v\n%s", dir, err, out)
	}
}
