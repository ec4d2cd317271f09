//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vitrine/e2e/component"
	"vitrine/e2e/stack"
)

func TestSiteAnswers(t *testing.T) {
	for range 2 {
		if _, _, err := stack.Get(t.Context(), running.Site+"/slow"); err != nil {
			t.Fatal(err)
		}
	}
	header, _, err := stack.Get(t.Context(), running.Site+"/slow")
	if err != nil || !strings.Contains(header.Get("Cache-Status"), "; hit;") {
		t.Errorf("the third /slow: %v, %v; want a hit", header, err)
	}
	if _, _, err := stack.Get(t.Context(), running.Site+"/"); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/metrics", "/readyz", "/debug/pprof/", "/debug/tracez"} {
		if _, _, err := stack.Get(t.Context(), running.Site+path); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("%s is public: %v", path, err)
		}
	}
}

func TestTheLoadBalancerBeginsTheTrace(t *testing.T) {
	log, err := running.Compose(t.Context(), "logs", "--no-log-prefix", "nginx")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log, "otel.sh: no tracing module here") {
		component.Missing(t, "nginx-otel", "this nginx image has no OpenTelemetry module")
	}
	id := traceOf(t, "/stats/"+coldTile())
	within(t, time.Minute, func() error {
		tr, err := running.Trace(t.Context(), id)
		if err != nil {
			return err
		}
		for _, s := range tr.Spans {
			if s.Parent() == "" && tr.Processes[s.ProcessID].ServiceName == "nginx" {
				return nil
			}
		}
		return fmt.Errorf("no root of nginx' in %d spans", len(tr.Spans))
	})
}
