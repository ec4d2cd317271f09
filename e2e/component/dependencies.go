package component

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Dependencies are the packages that a program links, on Linux, which imports pkg alone, by their modules. The standard
// library is left out.
func Dependencies(t testing.TB, pkg string) map[string][]string {
	t.Helper()
	list := exec.Command(Command(t, "go"), "list", "-deps", "-f", "{{if not .Standard}}{{.Module.Path}} {{.ImportPath}}{{end}}", pkg)
	list.Env = append(os.Environ(), "GOOS=linux")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		module, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		packages[module] = append(packages[module], name)
	}
	return packages
}
