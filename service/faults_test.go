package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func (p *program) faultsInForce(t *testing.T) (all []fault) {
	t.Helper()
	a := get(t, p.opsURL+"/debug/faults")
	a.want(t, http.StatusOK, "application/json")
	a.json(t, &all)
	return all
}

func TestFaultsAreNotThereUnlessEnabled(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		if a := ask(t, method, p.opsURL+"/debug/faults?delay=1s"); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", method, a.Status)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_FAULTS": "true", "VITRINE_SLOW_DELAY": "1ms", "VITRINE_UPSTREAM_URL": ""})
	spans := tracetest.NewSpanRecorder()
	p.telemetry.TracerProvider.(*sdktrace.TracerProvider).RegisterSpanProcessor(spans)
	if all := p.faultsInForce(t); len(all) != 0 {
		t.Fatalf("%+v at the start", all)
	}
	get(t, p.url+"/tiles/0/0/0")

	ask(t, http.MethodPut, p.opsURL+"/debug/faults?error_rate=1&for=10m").want(t, http.StatusOK, "application/json")
	all := p.faultsInForce(t)
	if len(all) != 3 {
		t.Fatalf("%+v, want one for each cache", all)
	}
	for _, one := range all {
		if left := time.Until(one.Until); one.ErrorRate != 1 || one.Delay != 0 || left <= 9*time.Minute || left > 10*time.Minute {
			t.Errorf("%+v", one)
		}
	}
	get(t, p.url+"/slow").want(t, http.StatusInternalServerError, "application/problem+json")
	get(t, p.url+"/stats/2/1/1").want(t, http.StatusBadGateway, "application/problem+json")
	get(t, p.url+"/tiles/0/0/0").want(t, http.StatusOK, "image/png") // a hit: the origin is not asked
	get(t, p.url+"/health").want(t, http.StatusOK, "application/json")
	if !strings.Contains(p.logs.String(), "fault injected") {
		t.Error("the log does not tell of the fault")
	}

	// The last word counts, for that cache alone.
	ask(t, http.MethodPut, p.opsURL+"/debug/faults?cache=slow&delay=50ms").want(t, http.StatusOK, "application/json")
	began := time.Now()
	get(t, p.url+"/slow").want(t, http.StatusOK, "application/json")
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("a load with a delay of 50 ms took %s", took)
	}
	get(t, p.url+"/stats/2/1/2").want(t, http.StatusBadGateway, "application/problem+json")

	if a := ask(t, http.MethodDelete, p.opsURL+"/debug/faults"); a.StatusCode != http.StatusNoContent {
		t.Error(a.Status)
	}
	if all := p.faultsInForce(t); len(all) != 0 {
		t.Errorf("%+v at the end", all)
	}
	get(t, p.url+"/stats/2/1/2").want(t, http.StatusOK, "application/json")

	told := map[string]int{}
	for _, s := range spans.Ended() {
		for _, a := range s.Attributes() {
			if strings.HasPrefix(string(a.Key), "vitrine.fault.") {
				told[fmt.Sprintf("%s %s=%s", s.Name(), a.Key, a.Value.String())]++
			}
		}
	}
	for _, want := range []string{"cache.load slow vitrine.fault.error=true", "cache.load stats vitrine.fault.error=true", "cache.load slow vitrine.fault.delay=0.05"} {
		if told[want] == 0 {
			t.Errorf("no span says %s: %v", want, told)
		}
	}
}

func TestFaultsEndByThemselves(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_FAULTS": "true", "VITRINE_SLOW_DELAY": "1ms"})
	ask(t, http.MethodPut, p.opsURL+"/debug/faults?error_rate=1&for=20ms").want(t, http.StatusOK, "application/json")
	time.Sleep(30 * time.Millisecond)
	get(t, p.url+"/slow").want(t, http.StatusOK, "application/json")
}

func TestFaultsThatAreNone(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_FAULTS": "true"})
	for query, names := range map[string]string{
		"":                       "error_rate",
		"cache=slow":             "delay",
		"cache=none&delay=1s":    "tiles",
		"delay=soon":             "delay",
		"delay=-1s":              "delay",
		"delay=2m":               "1m0s",
		"error_rate=2":           "error_rate",
		"error_rate=NaN":         "error_rate",
		"error_rate=half":        "half",
		"delay=1s&for=2h":        "1h0m0s",
		"delay=1s&for=0s":        "for",
		"delay=1s&errorrate=0.5": "errorrate",
	} {
		a := ask(t, http.MethodPut, p.opsURL+"/debug/faults?"+query)
		a.want(t, http.StatusBadRequest, "application/problem+json")
		if !strings.Contains(a.body, names) {
			t.Errorf("%s: %s does not name %s", query, a.body, names)
		}
	}
	if all := p.faultsInForce(t); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
