package telemetry_test

import (
	"net/http"
	"testing"

	"vitrine/telemetry"
)

// TestQuiet: such a route's requests are measured under it, and leave nothing else, unless they panic.
func TestQuiet(t *testing.T) {
	for _, test := range []struct {
		desc    string
		handler http.HandlerFunc
		method  string
		status  string
		fails   bool
		panics  bool
	}{
		{"an answer", hello, "GET", "200", false, false},
		{"HEAD", hello, "HEAD", "200", false, false},
		{"a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) }, "GET", "418", false, false},
		{"a wildcard's value", func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("id") == "7" {
				w.WriteHeader(204)
			}
		}, "GET", "204", false, false},
		{"a broken answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "GET", "0", true, false},
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, "GET", "500", false, true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			tel, logs := setup(t, nil, telemetry.Options{})
			spans := recordSpans(t, tel)
			mux := http.NewServeMux()
			mux.Handle("GET /news/{id}", telemetry.Quiet(test.handler))
			res, _, err := ask(t, tel.Server(mux, nil), test.method, "/news/7", nil)
			if (err != nil) != test.fails || err == nil && res.Header["Traceresponse"] != nil {
				t.Errorf("%v, %v", res, err)
			}
			if n := (exchange{tel: tel}).count(t, test.method, "/news/{id}", test.status); n != 1 {
				t.Errorf("the histogram has %d under %s, want 1", n, test.status)
			}
			if n := len(spans.Ended()); n != 0 {
				t.Errorf("%d spans", n)
			}
			if said := logs.String() != ""; said != test.panics {
				t.Errorf("the log: %s", logs)
			}
		})
	}
}
