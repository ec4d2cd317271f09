package main

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

// otlp is a receiver of OTLP over HTTP that counts server spans by name.
type otlp struct {
	*httptest.Server
	mu    sync.Mutex
	names map[string]int
}

func startOTLP(t *testing.T) *otlp {
	t.Helper()
	o := &otlp{names: map[string]int{}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
		for _, rs := range req.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					if s.GetKind() == tracev1.Span_SPAN_KIND_SERVER {
						o.names[s.GetName()]++
					}
				}
			}
		}
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *otlp) servers(name string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.names[name]
}
