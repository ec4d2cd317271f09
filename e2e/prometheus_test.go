//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestEveryTargetIsUp(t *testing.T) {
	within(t, time.Minute, func() error {
		var answer struct {
			Data struct {
				ActiveTargets []struct {
					Labels    map[string]string
					Health    string
					LastError string
				}
			}
		}
		if err := getJSON(t.Context(), prometheusURL+"/api/v1/targets", &answer); err != nil {
			return err
		}
		jobs := map[string]int{}
		for _, target := range answer.Data.ActiveTargets {
			if target.Health != "up" {
				return fmt.Errorf("%s is %s: %s", target.Labels["instance"], target.Health, target.LastError)
			}
			jobs[target.Labels["job"]]++
		}
		want := map[string]int{"service": replicas(t, "service"), "prometheus": 1, "alertmanager": 1, "jaeger": 1, "spanmetrics": 1, "nginx": 1, "redis": 1}
		for job, n := range want {
			if jobs[job] != n {
				return fmt.Errorf("targets %v, want %v", jobs, want)
			}
		}
		return nil
	})
}

// quiet are the expressions that have no data while all is well.
var quiet = regexp.MustCompile(`^ALERTS$|ALERTS\{`)

// Panels are never empty: every expression has data.
func TestDashboardsHaveData(t *testing.T) {
	within(t, time.Minute, func() error {
		samples, err := query(t.Context(), `up{job="service"} == 1`)
		if err == nil && len(samples) != 3 {
			err = fmt.Errorf("%d replicas, want three", len(samples))
		}
		return err
	})
	for _, d := range dashboards(t) {
		t.Run(d.Title, func(t *testing.T) {
			asked := 0
			for _, p := range d.Panels {
				for _, target := range p.Targets {
					if quiet.MatchString(target.Expr) {
						continue
					}
					asked++
					within(t, 2*time.Minute, func() error {
						samples, err := query(t.Context(), variables.Replace(target.Expr))
						if err != nil {
							return fmt.Errorf("%s: %w", p.Title, err)
						}
						if !slices.ContainsFunc(samples, func(s sample) bool { return s.Value[1] != "NaN" }) {
							return fmt.Errorf("%s: nothing but NaN: %s", p.Title, target.Expr)
						}
						return nil
					})
				}
			}
			t.Logf("%d panels and rows, %d expressions with data", len(d.Panels), asked)
		})
	}
}

func TestNativeHistogramsAreScraped(t *testing.T) {
	within(t, time.Minute, func() error {
		_, err := query(t.Context(), `histogram_quantile(0.9, sum(rate(http_server_request_duration_seconds[1m])))`)
		return err
	})
}

func TestMonitorTabHasData(t *testing.T) {
	within(t, 2*time.Minute, func() error {
		var answer struct {
			Metrics []struct{ MetricPoints []any }
		}
		err := getJSON(t.Context(), jaegerURL+"/api/metrics/calls?service=vitrine&groupByOperation=true&lookback=300000&quantile=0.95&ratePer=60000&step=5000", &answer)
		if err != nil {
			return err
		}
		for _, m := range answer.Metrics {
			if len(m.MetricPoints) > 0 {
				return nil
			}
		}
		return fmt.Errorf("no points in %d series", len(answer.Metrics))
	})
}
