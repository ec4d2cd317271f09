//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"vitrine/e2e/stack"
)

// monitor fails until the Monitor tab has rates, errors and durations of the service by operation.
func monitor(ctx context.Context) error {
	query := url.Values{
		"service": {"vitrine"}, "groupByOperation": {"true"}, "quantile": {"0.95"},
		"lookback": {"300000"}, "ratePer": {"60000"}, "step": {"5000"}, // milliseconds
	}.Encode()
	for _, what := range []string{"calls", "errors", "latencies"} {
		var answer struct {
			Metrics []struct{ MetricPoints []any }
		}
		if err := stack.GetJSON(ctx, running.Jaeger+"/api/metrics/"+what+"?"+query, &answer); err != nil {
			return err
		}
		points := 0
		for _, m := range answer.Metrics {
			points += len(m.MetricPoints)
		}
		if points == 0 {
			return fmt.Errorf("no points of %s in %d series", what, len(answer.Metrics))
		}
	}
	return nil
}

func TestMonitorTabHasData(t *testing.T) {
	within(t, time.Minute, func() error { return monitor(t.Context()) })
}

// TestSamplingIsServed: a client that asks how much to sample is told what jaeger/sampling.json says.
func TestSamplingIsServed(t *testing.T) {
	for service, want := range map[string]float64{"vitrine": 1, "another": 0.1} {
		text, err := running.Compose(t.Context(), "exec", "-T", "jaeger", "wget", "-q", "-O", "-", "http://127.0.0.1:5778/sampling?service="+service)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			ProbabilisticSampling struct{ SamplingRate float64 }
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.ProbabilisticSampling.SamplingRate != want {
			t.Errorf("%s is told %s, %v; want %g", service, text, err, want)
		}
	}
}

// TestTracesOutliveJaeger: they are on a volume.
func TestTracesOutliveJaeger(t *testing.T) {
	id := traceOf(t, "/slow")
	found := func() error {
		_, err := running.Trace(t.Context(), id)
		return err
	}
	within(t, time.Minute, found)
	if _, err := running.Compose(t.Context(), "up", "--detach", "--wait", "--no-deps", "--force-recreate", "jaeger"); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, found)
}
