package telemetry_test

import (
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"vitrine/telemetry"
)

// TestPublicServer: who is not trusted is linked to, whatever they say about sampling, on either path.
func TestPublicServer(t *testing.T) {
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for _, test := range []struct {
		desc   string
		header http.Header
		linked bool
	}{
		{"none", nil, false},
		{"sampled", http.Header{"Traceparent": {"00-" + trace + "-" + parent + "-01"}}, true},
		{"not sampled", http.Header{"Traceparent": {"00-" + trace + "-" + parent + "-00"}}, true},
		{"with a state", http.Header{"Traceparent": {"00-" + trace + "-" + parent + "-01"}, "Tracestate": {"ours=1"}}, true},
		{"rubbish", http.Header{"Traceparent": {"'; DROP TABLE traces"}}, false},
		{"baggage alone", http.Header{"Baggage": {"user=alice"}}, false},
		{"both", http.Header{"Traceparent": {"00-" + trace + "-" + parent + "-01"}, "Baggage": {"user=alice"}}, true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			tel, _ := setup(t, map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, telemetry.Options{})
			spans := recordSpans(t, tel)
			mux := route("GET /", func(_ http.ResponseWriter, r *http.Request) {
				if b := baggage.FromContext(r.Context()); b.Len() > 0 {
					t.Errorf("%q goes on to whoever is asked next", b)
				}
			})
			mux.Handle("GET /hand", handy{http.HandlerFunc(hello)})
			for i, path := range []string{"/", "/hand"} {
				res, _, err := ask(t, tel.PublicServer(mux, nil), "GET", path, test.header)
				if err != nil {
					t.Fatal(err)
				}
				if traceID, _, flags := traceresponse(t, res); traceID == trace || flags != "01" {
					t.Errorf("%s: trace %s, flags %s; want one of its own, by its own sampler", path, traceID, flags)
				}
				span := spans.Ended()[i]
				if span.Parent().IsValid() || span.SpanContext().TraceState().Len() > 0 {
					t.Errorf("%s: parent %v, state %s; want neither", path, span.Parent(), span.SpanContext().TraceState())
				}
				if n := len(span.Links()); n != 0 && !test.linked || n != 1 && test.linked {
					t.Fatalf("%s: %d links, and there is a caller's span: %t", path, n, test.linked)
				}
				if test.linked {
					if sc := span.Links()[0].SpanContext; sc.TraceID().String() != trace || sc.SpanID().String() != parent {
						t.Errorf("%s: a link to %s %s, want the caller's", path, sc.TraceID(), sc.SpanID())
					}
				}
			}
		})
	}
}
