package telemetry_test

import (
	"path"
	"strings"
	"testing"

	"vitrine/e2e/component"
)

// TestLinksNoCache: whoever wants telemetry alone gets no cache and no client of Redis.
func TestLinksNoCache(t *testing.T) {
	packages := component.Dependencies(t, "vitrine/telemetry")
	if own := packages[path.Dir("vitrine/telemetry")]; len(own) != 1 || own[0] != "vitrine/telemetry" {
		t.Errorf("it links %v of this module, want itself alone", own)
	}
	for module := range packages {
		if strings.Contains(module, "redis") || strings.Contains(module, "otter") {
			t.Errorf("it links %s", module)
		}
	}
}
