package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"vitrine/telemetry"
)

// TestTransport: the caller's span, the client's and the server's are one trace, each under the other.
func TestTransport(t *testing.T) {
	tel, _ := setup(t, nil, telemetry.Options{})
	spans := recordSpans(t, tel)
	var traceparent string
	mux := route("GET /{word}", func(_ http.ResponseWriter, r *http.Request) { traceparent = r.Header.Get("Traceparent") })
	srv := httptest.NewServer(tel.Server(mux, nil))
	defer srv.Close()

	ctx, root := tel.TracerProvider.Tracer("test").Start(t.Context(), "root")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: tel.Transport(nil)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	root.End()
	srv.Close()

	kinds := map[trace.SpanKind]trace.SpanContext{}
	parents := map[trace.SpanKind]trace.SpanContext{}
	for _, s := range spans.Ended() {
		kinds[s.SpanKind()], parents[s.SpanKind()] = s.SpanContext(), s.Parent()
	}
	client, server := kinds[trace.SpanKindClient], kinds[trace.SpanKindServer]
	if !client.IsValid() || !server.IsValid() {
		t.Fatalf("%d spans, want one of a client and one of a server", len(spans.Ended()))
	}
	if parents[trace.SpanKindServer].SpanID() != client.SpanID() || parents[trace.SpanKindClient].SpanID() != root.SpanContext().SpanID() {
		t.Error("the server's span is not under the client's, or that not under the caller's")
	}
	if server.TraceID() != root.SpanContext().TraceID() {
		t.Errorf("the server is in trace %s, the caller in %s", server.TraceID(), root.SpanContext().TraceID())
	}
	if want := "00-" + client.TraceID().String() + "-" + client.SpanID().String() + "-01"; traceparent != want {
		t.Errorf("sent traceparent %q, want %q", traceparent, want)
	}
}

func TestTransportFails(t *testing.T) {
	tel, _ := setup(t, nil, telemetry.Options{})
	spans := recordSpans(t, tel)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, nowhere, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tel.Transport(new(http.Transport)).RoundTrip(req)
	if err == nil {
		res.Body.Close()
		t.Fatal("somebody answers on port 1")
	}
	if n := len(spans.Ended()); n != 1 || spans.Ended()[0].Status().Code != codes.Error {
		t.Errorf("%d spans, want one that failed", n)
	}
}
