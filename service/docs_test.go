package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vitrine/e2e/component"
)

// TestSignalsAreListed holds docs/signals.md against what the program exposes, in both directions.
func TestSignalsAreListed(t *testing.T) {
	redis := component.Redis(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1") // its counters are there also where nobody listens
	p := start(t, map[string]string{"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": redis.URL(), "VITRINE_SLOW_DELAY": "1ms"})
	get(t, p.url+"/slow")
	families, err := p.telemetry.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/signals.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(text), "## Outcomes")
	var listed []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 2 {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z_*]+)`").FindAllStringSubmatch(cells[1], -1) {
			listed = append(listed, m[1])
		}
	}
	for _, family := range families {
		name := family.GetName()
		if !slices.Contains(listed, name) && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is exposed, and docs/signals.md does not list it", name)
		}
	}
	for _, name := range listed {
		exposed := strings.HasSuffix(name, "*")
		for _, family := range families {
			exposed = exposed || family.GetName() == name
		}
		if !exposed {
			t.Errorf("docs/signals.md lists %s, which is not exposed", name)
		}
	}
	if len(listed) < 15 {
		t.Errorf("only %d metrics found in docs/signals.md: %q", len(listed), listed)
	}
}
