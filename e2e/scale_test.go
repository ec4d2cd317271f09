//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"vitrine/e2e/stack"
)

// nginx and Prometheus follow the replicas as they come and go.
func TestScale(t *testing.T) {
	// Until Prometheus has noticed, too: other tests ask it for all replicas.
	scale := func(n int) {
		t.Helper()
		out, err := running.Command(t.Context(), "up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", fmt.Sprintf("service=%d", n), "service").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		within(t, time.Minute, func() error {
			samples, err := running.Query(t.Context(), `count(up{job="service"})`)
			if err == nil && int(samples[0].Point.Value()) != n {
				err = fmt.Errorf("%v replicas are scraped, want %d", samples[0].Point.Value(), n)
			}
			return err
		})
	}
	defer scale(3)
	scale(5)
	within(t, time.Minute, func() error {
		for range 5 {
			if _, _, err := stack.Get(t.Context(), running.Site+"/stats/"+coldTile()); err != nil {
				return err
			}
		}
		samples, err := running.Query(t.Context(), `count(increase(http_server_request_duration_seconds_count{http_route="/stats/{z}/{x}/{y}"}[30s]) > 0) by (instance)`)
		if err == nil && len(samples) != 5 {
			err = fmt.Errorf("%d replicas are asked by nginx, want 5", len(samples))
		}
		return err
	})
}
