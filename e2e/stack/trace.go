package stack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Trace is what Jaeger's API says of one.
type Trace struct {
	Spans     []Span
	Processes map[string]Process
}

// Process is who sent a span.
type Process struct {
	ServiceName string
	Tags        Tags
}

// Span has its times in microseconds.
type Span struct {
	TraceID       string
	SpanID        string
	OperationName string
	References    []struct{ RefType, TraceID, SpanID string }
	StartTime     int64 // since 1970
	Duration      int64
	Tags          Tags
	ProcessID     string
}

// Tags are attributes.
type Tags []struct {
	Key   string
	Value any
}

// Get is the value under key as text, or empty.
func (tags Tags) Get(key string) string {
	for _, t := range tags {
		if t.Key == key {
			return fmt.Sprint(t.Value)
		}
	}
	return ""
}

// Parent is the id of the span's parent, or empty.
func (s Span) Parent() string {
	for _, r := range s.References {
		if r.RefType == "CHILD_OF" && r.TraceID == s.TraceID {
			return r.SpanID
		}
	}
	return ""
}

// Instances are the replicas that a trace went through.
func (t Trace) Instances() map[string]bool {
	instances := map[string]bool{}
	for _, s := range t.Spans {
		if id := t.Processes[s.ProcessID].Tags.Get("service.instance.id"); id != "" {
			instances[id] = true
		}
	}
	return instances
}

// Trace asks Jaeger for one.
func (s *Stack) Trace(ctx context.Context, id string) (Trace, error) {
	var answer struct{ Data []Trace }
	if err := GetJSON(ctx, s.Jaeger+"/api/traces/"+id, &answer); err != nil {
		return Trace{}, err
	}
	if len(answer.Data) != 1 {
		return Trace{}, fmt.Errorf("%d traces under %s", len(answer.Data), id)
	}
	return answer.Data[0], nil
}

// TraceID reads Traceresponse (W3C Trace Context).
func TraceID(h http.Header) (string, error) {
	text := h.Get("Traceresponse")
	parts := strings.Split(text, "-")
	if len(parts) != 4 || len(parts[1]) != 32 {
		return "", fmt.Errorf("no trace in Traceresponse: %q", text)
	}
	return parts[1], nil
}
