package telemetry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlp is a receiver of OTLP over HTTP that keeps what it is sent.
type otlp struct {
	*httptest.Server
	mu       sync.Mutex
	received []*tracev1.ResourceSpans
}

func startOTLP(t *testing.T) *otlp {
	t.Helper()
	o := new(otlp)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &req)
		}
		if err != nil {
			t.Error(err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.received = append(o.received, req.GetResourceSpans()...)
	})
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

// spans are those received so far, by name, and the attributes of the resource that they came from.
func (o *otlp) spans() (spans map[string]*tracev1.Span, resource map[string]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	spans, resource = map[string]*tracev1.Span{}, map[string]string{}
	for _, rs := range o.received {
		for _, a := range rs.GetResource().GetAttributes() {
			resource[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				spans[s.GetName()] = s
			}
		}
	}
	return spans, resource
}
