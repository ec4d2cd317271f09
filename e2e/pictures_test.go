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
	trace := traceOf(t, "/stats/"+coldTile())
	for _, page := range []struct {
		name, service, url string
		words              []string
		size               browser.Size
	}{
		{"page", "", running.Site + "/", []string{"/tiles/"}, browser.Desk},
		{"page-phone", "", running.Site + "/", []string{"/tiles/"}, browser.Phone},
		{"prometheus-targets", "prometheus", running.Prometheus + "/targets", []string{"nginx-exporter:9113", "redis-exporter:9121"}, browser.Desk},
		{"prometheus-alerts", "prometheus", running.Prometheus + "/alerts", []string{"ErrorBudgetBurn", "OriginSlow"}, browser.Desk},
		{"jaeger-trace", "jaeger", running.Jaeger + "/trace/" + trace, []string{"cache.load stats", "vitrine"}, browser.Desk},
		{"jaeger-monitor", "jaeger", running.Jaeger + "/monitor", []string{"Request rate", "Operations metrics"}, browser.Desk},
		{"grafana-service", "grafana", grafana + "/d/vitrine-service?kiosk", []string{"Is it well?", "Hit ratio"}, browser.Size{Width: 1400, Height: 2600}},
		{"grafana-cache", "grafana", grafana + "/d/vitrine-cache?kiosk", []string{"Outcomes", "coalesced"}, browser.Size{Width: 1400, Height: 2600}},
		{"grafana-service-phone", "grafana", grafana + "/d/vitrine-service?kiosk", []string{"Is it well?"}, browser.Phone},
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
			if err := browser.Look(t.Context(), chromium, page.url, page.size, page.words, file); err != nil {
				t.Fatal(err)
			}
		})
	}
}
