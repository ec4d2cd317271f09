//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"vitrine/e2e/stack"
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
		if err := stack.GetJSON(t.Context(), running.Prometheus+"/api/v1/targets", &answer); err != nil {
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

func TestNativeHistogramsAreScraped(t *testing.T) {
	within(t, time.Minute, func() error {
		_, err := running.Query(t.Context(), `histogram_quantile(0.9, sum(rate(http_server_request_duration_seconds[1m])))`)
		return err
	})
}
