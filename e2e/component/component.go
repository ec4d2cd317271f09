// Package component gives tests the real programs that they need. One that is absent skips its test by
// name; in CI (CI=true) that is a failure, unless e2e/absent.txt lists it with the reason.
package component

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Command returns the path of a program, or skips the test. What is not on PATH may be among the programs
// that e2e/offline has built.
func Command(t testing.TB, name string) string {
	t.Helper()
	path := find(name)
	if path == "" {
		Missing(t, name, "neither on PATH nor built")
	}
	return path
}

func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	built, _ := filepath.Glob(filepath.Join(tools(), name+"-v*")) // fails for a bad pattern alone
	if len(built) == 0 {
		return ""
	}
	return slices.Max(built)
}

// tools is where e2e/offline/gobuild keeps programs, by name and version.
func tools() string {
	if dir := os.Getenv("VITRINE_TOOLS"); dir != "" {
		return dir
	}
	cache, _ := os.UserCacheDir() // without a home there are none
	return filepath.Join(cache, "vitrine", "tools")
}

// Missing skips the test for want of a component, or fails it where that must not be.
func Missing(t testing.TB, name, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" && !excused(t, name) {
		t.Fatalf("%s is missing, and e2e/absent.txt does not list it: %s", name, why)
	}
	t.Skipf("skipped for want of %s: %s", name, why)
}

// excused tells whether absent.txt lists the component: a line is its name, a tab or spaces, the reason.
func excused(t testing.TB, name string) bool {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "absent.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			return true
		}
	}
	return false
}
