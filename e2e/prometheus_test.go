//go:build e2e

package e2e

import (
	"fmt"
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
		want := map[string]int{"service": replicas(t, "service"), "prometheus": 1, "jaeger": 1, "spanmetrics": 1}
		for job, n := range want {
			if jobs[job] != n {
				return fmt.Errorf("targets %v, want %v", jobs, want)
			}
		}
		return nil
	})
}

// The dashboard's panels are never empty: each of their series has data for every replica, and every
// expression has data at all.
func TestOverviewHasData(t *testing.T) {
	var instances []string
	within(t, time.Minute, func() error {
		samples, err := query(t.Context(), `up{job="service"} == 1`)
		instances = nil
		for _, s := range samples {
			instances = append(instances, s.Metric["instance"])
		}
		if err == nil && len(instances) != 3 {
			err = fmt.Errorf("replicas %q, want three", instances)
		}
		return err
	})
	dashboard := overview(t)
	for _, expr := range dashboard.expressions() {
		within(t, time.Minute, func() error {
			_, err := query(t.Context(), expr)
			return err
		})
	}
	for _, metric := range dashboard.metrics() {
		within(t, time.Minute, func() error {
			samples, err := query(t.Context(), fmt.Sprintf(`count by (instance) ({__name__=~"%s(_bucket)?",job="service"})`, metric))
			if err != nil {
				return err
			}
			var have []string
			for _, s := range samples {
				have = append(have, s.Metric["instance"])
			}
			for _, instance := range instances {
				if !slices.Contains(have, instance) {
					return fmt.Errorf("%s has no data for %s", metric, instance)
				}
			}
			return nil
		})
	}
	t.Logf("%d expressions and %d metrics have data, of %d replicas each", len(dashboard.expressions()), len(dashboard.metrics()), len(instances))
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
