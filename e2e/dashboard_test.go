//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dashboard is what of Grafana's classic schema the tests read.
type dashboard struct {
	UID, Title string
	Panels     []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

// dashboards are those that Grafana is provisioned with. What is in the files is tested where they are made.
func dashboards(t *testing.T) (all []dashboard) {
	t.Helper()
	files, err := filepath.Glob("../grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(name, err)
		}
		all = append(all, d)
	}
	return all
}

// variables stand for what Grafana fills in: all values, and a range of several scrapes.
var variables = strings.NewReplacer(
	"$__rate_interval", "1m", "$__interval", "30s", "$__range", "5m", "$instance", ".*", "$route", ".*", "$cache", ".*",
)
