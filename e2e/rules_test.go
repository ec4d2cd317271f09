package e2e

import (
	"path/filepath"
	"testing"

	"vitrine/e2e/component"
)

// TestRules: Prometheus takes its configuration and rules as they are, and each alert fires when it must and
// at no other time (prometheus/tests).
func TestRules(t *testing.T) {
	tests, err := filepath.Glob("../prometheus/tests/*.yml")
	if err != nil || len(tests) == 0 {
		t.Fatal(tests, err)
	}
	for _, args := range [][]string{
		{"check", "config", "--lint=all", "--lint-fatal", "prometheus.yml"},
		append([]string{"test", "rules"}, relative(t, "../prometheus", tests)...),
	} {
		out, err := component.Promtool(t, "../prometheus", args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		} else {
			t.Logf("promtool %q\n%s", args, out)
		}
	}
}

func relative(t *testing.T, dir string, paths []string) (names []string) {
	t.Helper()
	for _, p := range paths {
		name, err := filepath.Rel(dir, p)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}
