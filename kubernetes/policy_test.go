package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// policy is what a platform team asks of manifests. Each is shown to object: to every one of breaks.
type policy struct {
	desc   string
	only   string // the overlay that it is about; empty is each
	holds  func(c cluster) []string
	breaks map[string]func(c cluster)
}

// TestPolicies: the overlays keep all policies, and each policy objects to what it is there for.
func TestPolicies(t *testing.T) {
	policies := slices.Concat(podPolicies(), networkPolicies(t), lifecyclePolicies(t), configPolicies(t))
	for _, name := range overlays {
		c := overlay(t, name)
		for _, p := range policies {
			if p.only != "" && p.only != name {
				continue
			}
			t.Run(name+"/"+p.desc, func(t *testing.T) {
				for _, wrong := range p.holds(c.clone()) {
					t.Error(wrong)
				}
				if len(p.breaks) == 0 {
					t.Error("nothing shows that the policy objects")
				}
				for what, change := range p.breaks {
					broken := c.clone()
					change(broken)
					if len(p.holds(broken)) == 0 {
						t.Errorf("no objection to: %s", what)
					}
				}
			})
		}
	}
}

// text is a file of the repository.
func text(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// find returns the groups of the one match of pattern in a file of the repository.
func find(t testing.TB, name, pattern string) []string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text(t, name))
	if m == nil {
		t.Fatalf("%s has no %s", name, pattern)
	}
	return m[1:]
}

// defaults are the program's variables with what they are where nothing is said, from its table of them.
func defaults(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t\{"(VITRINE_\w+)", "([^"]*)",`).FindAllStringSubmatch(text(t, "../service/config.go"), -1) {
		found[m[1]] = m[2]
	}
	if len(found) < 20 || !strings.HasPrefix(found["VITRINE_ADDR"], ":") {
		t.Fatalf("service/config.go is not as expected: %q", found)
	}
	return found
}
