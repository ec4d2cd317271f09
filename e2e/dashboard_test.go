//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"vitrine/e2e/stack"
)

// dashboard is what of Grafana's classic schema the tests read.
type dashboard struct {
	UID, Title  string
	Panels      []panel
	Annotations struct {
		List []struct {
			Name   string
			Target struct{ Expr string }
		}
	}
	Templating struct {
		List []struct {
			Name  string
			Query struct{ Query string }
		}
	}
	text string
}

type panel struct {
	Type, Title string
	Targets     []target
	FieldConfig struct {
		Defaults struct {
			Unit   string
			Custom struct {
				Stacking          struct{ Mode string }
				ScaleDistribution struct{ Type string }
			}
		}
		Overrides []struct {
			Matcher    struct{ Options string }
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
}

type target struct {
	Expr, Format, Interval, LegendFormat string
	Range, Instant                       bool
}

// dashboards are those that Grafana is provisioned with. What is in the files is tested where they are made.
func dashboards() (all []dashboard, err error) {
	files, err := filepath.Glob("../grafana/dashboards/*.json")
	if err == nil && len(files) == 0 {
		err = errors.New("no dashboards")
	}
	for _, name := range files {
		text, readErr := os.ReadFile(name)
		d := dashboard{text: string(text)}
		err = errors.Join(err, readErr, json.Unmarshal(text, &d))
		all = append(all, d)
	}
	return all, err
}

// selected stands for a dashboard's variables, where all is chosen, and filled also for what Grafana knows of time: a
// range of several scrapes.
var (
	selected = strings.NewReplacer("$instance", ".*", "$route", ".*", "$cache", ".*")
	times    = strings.NewReplacer("$__rate_interval", "1m", "$__interval", "30s", "$__range_s", "300", "$__range", "5m")
)

func filled(expr string) string { return times.Replace(selected.Replace(expr)) }

// points is how many numbers an expression has had since start; none is an error.
func points(ctx context.Context, expr string, start time.Time) (n int, err error) {
	all, err := running.QueryRange(ctx, filled(expr), start, 5*time.Second)
	if err != nil {
		return 0, err
	}
	for _, series := range all {
		n += len(series.Histograms)
		for _, p := range series.Points {
			if !math.IsNaN(p.Value()) {
				n++
			}
		}
	}
	if n == 0 {
		err = fmt.Errorf("nothing but NaN: %s", expr)
	}
	return n, err
}

// firstDashboard waits until the dashboard that Grafana opens with has data in every panel.
func firstDashboard(ctx context.Context) error {
	all, err := dashboards()
	if err != nil {
		return err
	}
	return stack.Within(ctx, 3*time.Minute, func() error {
		for _, d := range all {
			if d.UID != "vitrine-service" {
				continue
			}
			for _, p := range d.Panels {
				for _, target := range p.Targets {
					if _, err := points(ctx, target.Expr, time.Now().Add(-15*time.Second)); err != nil {
						return fmt.Errorf("%s: %w", p.Title, err)
					}
				}
			}
		}
		return nil
	})
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	linked      = regexp.MustCompile(`/d/([\w-]+)`)
)

// TestNeverEmpty: after three minutes of visitors every panel, annotation and variable has data, those too
// that are empty while all is well: a fault makes errors and an alert, and an entry is purged.
func TestNeverEmpty(t *testing.T) {
	ctx := t.Context()
	all, err := dashboards()
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Ops(ctx, http.MethodPut, "/debug/faults?cache=slow&error_rate=1&for=10m"); err != nil {
		t.Fatal(err)
	}
	if err := running.PurgeSlow(ctx); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Minute, func() error {
		// As many as it takes to count beside an hour of those that went well.
		for range 20 {
			if _, _, err := stack.Get(ctx, running.Site+"/slow"); err == nil {
				return errors.New("/slow answers, and its loads fail")
			}
		}
		alerts, err := running.Alerts(ctx, "ErrorBudgetBurn", map[string]string{"class": "slow", "slo": "availability", "window": "1h"})
		if err == nil && (len(alerts) == 0 || alerts[0].State != "firing") {
			err = fmt.Errorf("/slow fails, and its alert does not fire: %v", alerts)
		}
		return err
	})
	if err := running.Ops(ctx, http.MethodDelete, "/debug/faults"); err != nil {
		t.Fatal(err)
	}
	within(t, 4*time.Minute, func() error {
		_, err := running.Query(ctx, `max(time() - process_start_time_seconds{job="prometheus"}) > 180`)
		return err
	})

	start := time.Now().Add(-5 * time.Minute)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "dashboard\tpanels\tqueries\tannotations\tvariables\tpoints\t")
	for _, d := range all {
		panels, queries, sum := 0, 0, 0
		ask := func(what, expr string) {
			within(t, time.Minute, func() error {
				n, err := points(ctx, expr, start)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", d.Title, what, err)
				}
				sum += n
				return nil
			})
		}
		for _, p := range d.Panels {
			if p.Type == "row" {
				continue
			}
			panels++
			if len(p.Targets) == 0 {
				t.Errorf("%s: %s asks nothing", d.Title, p.Title)
			}
			for _, target := range p.Targets {
				queries++
				ask(p.Title, target.Expr)
				if hasGrafana {
					within(t, time.Minute, func() error { return frames(ctx, target, start) })
				}
			}
		}
		for _, a := range d.Annotations.List {
			ask("annotation "+a.Name, a.Target.Expr)
		}
		for _, v := range d.Templating.List {
			m := labelValues.FindStringSubmatch(v.Query.Query)
			if m == nil {
				t.Fatalf("%s: variable %s asks %q", d.Title, v.Name, v.Query.Query)
			}
			var values struct{ Data []string }
			err := stack.GetJSON(ctx, running.Prometheus+"/api/v1/label/"+m[2]+"/values?match[]="+url.QueryEscape(m[1]), &values)
			if err != nil || len(values.Data) == 0 {
				t.Errorf("%s: variable %s has no values: %v", d.Title, v.Name, err)
			}
		}
		for _, m := range linked.FindAllStringSubmatch(d.text, -1) {
			if !known(all, m[1]) {
				t.Errorf("%s has a link to %s, which there is not", d.Title, m[0])
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", d.Title, panels, queries, len(d.Annotations.List), len(d.Templating.List), sum)
	}
	w.Flush()
	t.Log("\n" + table.String())
}

func known(all []dashboard, uid string) bool {
	for _, d := range all {
		if d.UID == uid {
			return true
		}
	}
	return false
}
