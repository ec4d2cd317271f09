package telemetry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"vitrine/telemetry"
)

// sampledOf counts the spans of n that are sampled: n traces of their own, or under a remote parent.
func sampledOf(t *testing.T, tel *telemetry.Telemetry, n int, parent string) (sampled int) {
	t.Helper()
	tracer := tel.TracerProvider.Tracer("test")
	for i := range n {
		ctx := t.Context()
		if parent != "" {
			id := trace.TraceID{15: byte(i), 14: byte(i >> 8), 0: 1}
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{
				"traceparent": fmt.Sprintf("00-%s-00f067aa0ba902b7-%s", id, parent),
			})
		}
		_, span := tracer.Start(ctx, "span")
		if span.SpanContext().IsSampled() {
			sampled++
		}
		span.End()
	}
	return sampled
}

// TestSampler: OTEL_TRACES_SAMPLER, and what it makes of a parent's decision.
func TestSampler(t *testing.T) {
	const n = 1000
	all, none := [2]int{n, n}, [2]int{0, 0}
	half := [2]int{n * 4 / 10, n * 6 / 10} // 6 standard deviations away
	for _, test := range []struct {
		name, arg string
		root      [2]int // at least and at most, of n
		yes, no   [2]int // under a parent that was sampled, and one that was not
		warns     string
	}{
		{"", "", all, all, none, ""},
		{"always_on", "", all, all, all, ""},
		{"ALWAYS_ON", "", all, all, all, ""},
		{"always_off", "", none, none, none, ""},
		{"traceidratio", "0", none, none, none, ""},
		{"traceidratio", "0.5", half, [2]int{}, [2]int{}, ""},
		{"traceidratio", "1", all, all, all, ""},
		{"traceidratio", "", all, all, all, ""},
		{"traceidratio", "half", all, all, all, "parsing sampler argument"},
		{"traceidratio", "-1", all, all, all, "less than 0.0"},
		{"traceidratio", "1.5", all, all, all, "greater than 1.0"},
		{"parentbased_always_on", "", all, all, none, ""},
		{"parentbased_always_off", "", none, all, none, ""},
		{"parentbased_traceidratio", "0", none, all, none, ""},
		{"parentbased_traceidratio", "0.5", half, all, none, ""},
		{"parentbased_traceidratio", "half", all, all, none, "parsing sampler argument"},
		{"sometimes", "", all, all, none, "unsupported sampler: sometimes"},
	} {
		t.Run(strings.TrimSpace(test.name+" "+test.arg), func(t *testing.T) {
			tel, logs := setup(t, map[string]string{"OTEL_TRACES_SAMPLER": test.name, "OTEL_TRACES_SAMPLER_ARG": test.arg}, telemetry.Options{})
			within := func(desc string, got int, want [2]int) {
				t.Helper()
				if got < want[0] || got > want[1] {
					t.Errorf("%s: %d of %d are sampled, want %d to %d", desc, got, n, want[0], want[1])
				}
			}
			within("no parent", sampledOf(t, tel, n, ""), test.root)
			if test.root != half || strings.HasPrefix(test.name, "parentbased") { // else the parent's trace decides
				within("a sampled parent", sampledOf(t, tel, n, "01"), test.yes)
				within("a parent that is not", sampledOf(t, tel, n, "00"), test.no)
			}
			if test.warns == "" && logs.String() != "" || !strings.Contains(logs.String(), test.warns) {
				t.Errorf("want %q in the log:\n%s", test.warns, logs)
			}
		})
	}
}

// TestSpanLimits: OTEL_SPAN_* and OTEL_ATTRIBUTE_*, and a warning of what is no number.
func TestSpanLimits(t *testing.T) {
	for _, test := range []struct {
		name, value                string
		attributes, length         int
		events, links              int
		eventAttributes, linkAttrs int
	}{
		{"", "", 128, 300, 128, 128, 128, 128},
		{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3", 3, 300, 128, 128, 128, 128},
		{"OTEL_ATTRIBUTE_COUNT_LIMIT", "3", 3, 300, 128, 128, 128, 128},
		{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0", 0, 0, 128, 128, 128, 128},
		{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7", 128, 7, 128, 128, 128, 128},
		{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7", 128, 7, 128, 128, 128, 128},
		{"OTEL_SPAN_EVENT_COUNT_LIMIT", "3", 128, 300, 3, 128, 128, 128},
		{"OTEL_SPAN_LINK_COUNT_LIMIT", "3", 128, 300, 128, 3, 128, 128},
		{"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "3", 128, 300, 128, 128, 3, 128},
		{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "3", 128, 300, 128, 128, 128, 3},
		{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "few", 128, 300, 128, 128, 128, 128},
		{"OTEL_SPAN_EVENT_COUNT_LIMIT", "few", 128, 300, 128, 128, 128, 128},
		{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "few", 128, 300, 128, 128, 128, 128},
	} {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			env := map[string]string{}
			if test.name != "" {
				env[test.name] = test.value
			}
			tel, logs := setup(t, env, telemetry.Options{})
			spans := recordSpans(t, tel)
			const many = 200
			attrs := make([]attribute.KeyValue, many)
			for i := range attrs {
				attrs[i] = attribute.String(fmt.Sprint(i), strings.Repeat("x", 300))
			}
			_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "span", trace.WithAttributes(attrs...))
			link := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{
				"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			}))
			for range many {
				span.AddEvent("event", trace.WithAttributes(attrs...))
				span.AddLink(trace.Link{SpanContext: link, Attributes: attrs})
			}
			span.End()
			s := spans.Ended()[0]
			length := 0
			if len(s.Attributes()) > 0 {
				length = len(s.Attributes()[0].Value.AsString())
			}
			got := []int{len(s.Attributes()), length, len(s.Events()), len(s.Links()), len(s.Events()[0].Attributes), len(s.Links()[0].Attributes)}
			want := []int{test.attributes, test.length, test.events, test.links, test.eventAttributes, test.linkAttrs}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("attributes, length, events, links, their attributes: %v, want %v", got, want)
			}
			if test.value != "few" {
				if logs.String() != "" {
					t.Errorf("want nothing in the log:\n%s", logs)
				}
			} else if line := logs.Record(t, "opentelemetry: variable ignored"); line["variable"] != test.name {
				t.Errorf("the log says %v, want a warning of %s", line, test.name)
			}
		})
	}
}

// TestDisabled: only true is true, in any case, and what is neither true nor false is warned of.
func TestDisabled(t *testing.T) {
	for _, test := range []struct {
		value           string
		disabled, warns bool
	}{
		{"", false, false}, {"false", false, false}, {"False", false, false},
		{"true", true, false}, {"TRUE", true, false},
		{"1", false, true}, {"yes", false, true}, {" true", false, true},
	} {
		t.Run(test.value, func(t *testing.T) {
			tel, logs := setup(t, map[string]string{"OTEL_SDK_DISABLED": test.value, "OTEL_EXPORTER_OTLP_ENDPOINT": nowhere}, telemetry.Options{})
			_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "span")
			if made := span.SpanContext().IsValid(); made == test.disabled {
				t.Errorf("there is a span: %t", made)
			}
			if _, there := accountOf(t, tel.Registry); there == test.disabled {
				t.Errorf("there is a pipeline: %t", there)
			}
			if warned := len(logs.Records(t, "opentelemetry: variable ignored")) > 0; warned != test.warns {
				t.Errorf("a warning is %t, want %t:\n%s", warned, test.warns, logs)
			}
		})
	}
}
