//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// nginx and Prometheus follow the replicas as they come and go.
func TestScale(t *testing.T) {
	scale := func(n int) {
		t.Helper()
		out, err := compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", fmt.Sprintf("service=%d", n), "service").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	defer func() { scale(3) }()
	scale(5)
	within(t, time.Minute, func() error {
		samples, err := query(t.Context(), `count(up{job="service"} == 1)`)
		if err == nil && samples[0].Value[1] != "5" {
			err = fmt.Errorf("%v replicas are scraped, want 5", samples[0].Value[1])
		}
		return err
	})
	within(t, time.Minute, func() error {
		instances := map[string]bool{}
		for range 5 {
			var answer struct{ Instance string }
			if err := getJSON(t.Context(), siteURL+"/stats/"+coldTile(), &answer); err != nil {
				return err
			}
			instances[answer.Instance] = true
		}
		samples, err := query(t.Context(), `count(increase(http_server_request_duration_seconds_count{http_route="/stats/{z}/{x}/{y}"}[30s]) > 0) by (instance)`)
		if err == nil && len(samples) != 5 {
			err = fmt.Errorf("%d replicas are asked by nginx, want 5", len(samples))
		}
		return err
	})
}
