package telemetry_test

import (
	"net/http"
	"testing"

	"vitrine/telemetry"
)

// A route's 500s are there from its first answer on, so that rate() sees the first of them.
func TestFailuresBeginAtZero(t *testing.T) {
	tel, _ := setup(t, nil, telemetry.Options{})
	if _, _, err := ask(t, tel.Server(route("GET /tiles/{z}", hello), nil), http.MethodGet, "/tiles/1", nil); err != nil {
		t.Fatal(err)
	}
	failures := metric(t, tel.Registry, duration, map[string]string{
		"http_request_method": http.MethodGet, "http_route": "/tiles/{z}", "http_response_status_code": "500",
	})
	if n := failures.GetHistogram().GetSampleCount(); n != 0 {
		t.Errorf("%d failures, want none", n)
	}
}
