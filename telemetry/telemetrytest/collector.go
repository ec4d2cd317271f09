package telemetrytest

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

// Collector receives OTLP over HTTP at its URL, and keeps what it is sent.
type Collector struct {
	*httptest.Server
	mu       sync.Mutex
	received []*tracev1.ResourceSpans
	instead  http.Handler
}

// NewCollector starts one that lives as long as the test.
func NewCollector(t testing.TB) *Collector {
	t.Helper()
	c := new(Collector)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		instead := c.instead
		c.mu.Unlock()
		if instead != nil {
			instead.ServeHTTP(w, r)
			return
		}
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
		c.mu.Lock()
		defer c.mu.Unlock()
		c.received = append(c.received, req.GetResourceSpans()...)
	})
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

// Answer lets h answer from now on, and nothing is received; nil ends that.
func (c *Collector) Answer(h http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instead = h
}

// Spans are those received so far.
func (c *Collector) Spans() (spans []*tracev1.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range c.received {
		for _, ss := range rs.GetScopeSpans() {
			spans = append(spans, ss.GetSpans()...)
		}
	}
	return spans
}

// Servers counts the server spans of a name.
func (c *Collector) Servers(name string) (n int) {
	for _, s := range c.Spans() {
		if s.GetKind() == tracev1.Span_SPAN_KIND_SERVER && s.GetName() == name {
			n++
		}
	}
	return n
}

// Resource is what the spans say of their service.
func (c *Collector) Resource() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	resource := map[string]string{}
	for _, rs := range c.received {
		for _, a := range rs.GetResource().GetAttributes() {
			resource[a.GetKey()] = a.GetValue().GetStringValue()
		}
	}
	return resource
}
