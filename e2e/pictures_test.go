//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/e2e/browser"
	"vitrine/e2e/component"
)

// picturesDir is where pictures of the running stack are kept: VITRINE_PICTURES, or nowhere.
func picturesDir(t *testing.T) string {
	if dir := os.Getenv("VITRINE_PICTURES"); dir != "" {
		return dir
	}
	return t.TempDir()
}

// hasPages tells whether a service shows pages: a stand-in for its image lacks them.
func hasPages(t *testing.T, service string) bool {
	t.Helper()
	name, err := image(service)
	if err != nil {
		t.Fatal(err)
	}
	standin, err := running.Docker(t.Context(), "image", "inspect", "-f", `{{index .Config.Labels "vitrine.standin"}}`, name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(standin) == ""
}

// TestPictures: the pages that a person opens show what they are for, and their pictures can be kept.
func TestPictures(t *testing.T) {
	chromium := component.Command(t, "chromium")
	dir := picturesDir(t)
	// What is said aloud when all tiles in view have been answered.
	atlasWords := []string{"loads now", "Level "}
	trace := traceOf(t, "/stats/"+coldTile())
	for _, page := range []struct {
		name, service string
		browser.Page
	}{
		{"atlas", "", browser.Page{URL: running.Site + "/", Size: browser.Desk, Words: atlasWords}},
		{"atlas-phone", "", browser.Page{URL: running.Site + "/", Size: browser.Phone, Words: atlasWords}},
		{"atlas-4k", "", browser.Page{URL: running.Site + "/", Size: browser.Wall, Words: atlasWords}},
		{"atlas-dark", "", browser.Page{URL: running.Site + "/", Size: browser.Desk, Dark: true, Words: atlasWords}},
		{"atlas-stampede", "", browser.Page{URL: running.Site + "/", Size: browser.Desk, Click: []string{"#stampede"},
			Words: []string{"answered all 200", "/d/vitrine-service?var-route=%2Fstampede"}}},
		{"prometheus-targets", "prometheus", browser.Page{URL: running.Prometheus + "/targets", Size: browser.Desk,
			Words: []string{"nginx-exporter:9113", "redis-exporter:9121"}}},
		{"prometheus-alerts", "prometheus", browser.Page{URL: running.Prometheus + "/alerts", Size: browser.Desk,
			Words: []string{"ErrorBudgetBurn", "OriginSlow"}}},
		{"jaeger-trace", "jaeger", browser.Page{URL: running.Jaeger + "/trace/" + trace, Size: browser.Desk,
			Words: []string{"cache.load stats", "vitrine"}}},
		// A span's attributes lead to its dashboards.
		{"jaeger-span", "jaeger", browser.Page{URL: running.Jaeger + "/trace/" + trace, Size: browser.Desk,
			Click: []string{".span-view", ".AccordianKeyValues--header, .AccordionAttributes--header"},
			Words: []string{":3000/d/vitrine-service?var-route=%2Fstats%2F", ":3000/d/vitrine-cache?var-cache=stats&from="}}},
		{"jaeger-monitor", "jaeger", browser.Page{URL: running.Jaeger + "/monitor", Size: browser.Desk,
			Words: []string{"Request rate", "Operations metrics"}}},
		{"grafana-service", "grafana", browser.Page{URL: grafana + "/d/vitrine-service?kiosk", Size: browser.Size{Width: 1400, Height: 2300},
			Words: []string{"Is it well?", "Hit ratio"}}},
		{"grafana-cache", "grafana", browser.Page{URL: grafana + "/d/vitrine-cache?kiosk", Size: browser.Size{Width: 1400, Height: 3100},
			Words: []string{"Outcomes", "coalesced"}}},
		{"grafana-service-phone", "grafana", browser.Page{URL: grafana + "/d/vitrine-service?kiosk", Size: browser.Phone,
			Words: []string{"Is it well?"}}},
	} {
		t.Run(page.name, func(t *testing.T) {
			switch page.service {
			case "grafana":
				requireGrafana(t)
			case "":
			default:
				if !hasPages(t, page.service) {
					component.Missing(t, page.service+"-pages", "its image is a stand-in")
				}
			}
			file := filepath.Join(dir, page.name+".png")
			if err := browser.Look(t.Context(), chromium, page.Page, file); err != nil {
				t.Fatal(err)
			}
		})
	}
}
