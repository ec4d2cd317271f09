package docs_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vitrine/e2e/component"
)

var target = regexp.MustCompile(`(?m)^([a-z0-9%-]+):`)

// TestMakeHelp: make help has each target of the Makefile, and something to say of it.
func TestMakeHelp(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		if !slices.Contains(want, m[1]) {
			want = append(want, m[1])
		}
	}
	out, err := exec.Command(component.Command(t, "make"), "-s", "-C", "..", "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if got = append(got, name); strings.TrimSpace(what) == "" {
			t.Errorf("nothing is said of %s", name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("make help has %v, want %v", got, want)
	}
}
