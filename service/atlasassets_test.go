package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// uses finds the files that one of the page's names, as the browser would look for them.
var uses = regexp.MustCompile(`(?:from |import\(|src=|href=)"([./][^"{]*)"`)

// TestAssets: all that the page consists of is there, small, and is not sent again to who has it.
func TestAssets(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	own := 0 // bytes over the wire of what is not Leaflet's
	err := fs.WalkDir(web, "web", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		at := "/assets/" + strings.TrimPrefix(name, "web/")
		if at == "/assets/index.html" {
			if got := get(t, p.url+at).StatusCode; got != http.StatusNotFound {
				t.Errorf("the page's template: status %d", got)
			}
			at = "/"
		}
		for _, coding := range []string{"gzip, br", "identity"} {
			a := get(t, p.url+at, "Accept-Encoding", coding)
			if a.StatusCode != http.StatusOK || coding == "identity" && a.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s, %s: status %d, %v", at, coding, a.StatusCode, a.Header)
			}
			if strings.HasPrefix(coding, "gzip") && !strings.HasPrefix(name, "web/leaflet/") {
				own += len(a.body)
			}
			tag := a.Header.Get("ETag")
			if again := get(t, p.url+at, "Accept-Encoding", coding, "If-None-Match", tag); tag == "" || again.StatusCode != http.StatusNotModified || again.body != "" || again.Header.Get("ETag") != tag {
				t.Errorf("%s, %s: had %s, and got status %d, %s", at, coding, tag, again.StatusCode, again.Header.Get("ETag"))
			}
			if coding == "identity" {
				for _, m := range uses.FindAllStringSubmatch(a.body, -1) {
					if to := path.Join("/", path.Dir(at), m[1]); get(t, p.url+to).StatusCode != http.StatusOK {
						t.Errorf("%s uses %s, which is not there", at, to)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("page and assets without Leaflet: %d bytes", own)
	if own > 100<<10 {
		t.Errorf("page and assets are %d bytes over the wire, want less than 100 KiB", own)
	}
}

// TestLeafletIsThePublishedOne: of the files of the package leaflet 1.9.4, in dist/.
func TestLeafletIsThePublishedOne(t *testing.T) {
	for name, want := range map[string]string{
		"leaflet.js":  "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
		"leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
	} {
		content, err := web.ReadFile("web/leaflet/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != want {
			t.Errorf("%s has the SHA-256 %s", name, got)
		}
	}
}

// grafanas are the colours that Grafana has by these names, in its dark theme.
var grafanas = map[string]string{
	"green": "#73bf69", "light-green": "#96d98d", "yellow": "#fade2a", "orange": "#ff9830", "blue": "#5794f2",
	"light-blue": "#8ab8ff", "red": "#f2495c", "text": "#ccccdc",
}

// TestAtlasHasTheDashboardsColours: an outcome looks alike in both.
func TestAtlasHasTheDashboardsColours(t *testing.T) {
	style, err := web.ReadFile("web/atlas.css")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]string{}
	for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]{6});`).FindAllStringSubmatch(string(style), -1) {
		drawn[m[1]] = m[2]
	}
	files, err := filepath.Glob("../grafana/dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	outcomes, found := listed(t, "Outcomes", "outcome"), map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var dashboard struct{ Panels []dashboardPanel }
		if err := json.Unmarshal(text, &dashboard); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, panel := range dashboard.Panels {
			for outcome, colour := range panel.outcomes(outcomes) {
				found[outcome] = true
				if want, ok := grafanas[colour]; !ok || drawn[outcome] != want {
					t.Errorf("%s: %s: %s is %s there, and %s on the page", filepath.Base(file), panel.Title, outcome, colour, drawn[outcome])
				}
			}
		}
	}
	if len(found) != len(outcomes) {
		t.Errorf("dashboards colour %v, of %d outcomes", found, len(outcomes))
	}
}

// dashboardPanel is what is looked at of one.
type dashboardPanel struct {
	Title       string
	Targets     []struct{ LegendFormat string }
	FieldConfig struct {
		Overrides []struct {
			Matcher    struct{ Options any }
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
}

// outcomes are the colours of outcomes, by outcome.
func (p dashboardPanel) outcomes(known map[string][]string) map[string]string {
	colours := map[string]string{}
	for _, target := range p.Targets {
		if target.LegendFormat != "{{outcome}}" {
			continue
		}
		for _, o := range p.FieldConfig.Overrides {
			name, _ := o.Matcher.Options.(string)
			if _, ok := known[name]; !ok {
				continue
			}
			for _, property := range o.Properties {
				if value, ok := property.Value.(map[string]any); ok && property.ID == "color" {
					colours[name] = fmt.Sprint(value["fixedColor"])
				}
			}
		}
	}
	return colours
}
