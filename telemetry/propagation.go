package telemetry

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

// newPropagator is what OTEL_PROPAGATORS names, and W3C Trace Context and Baggage where it is not set.
func newPropagator() propagation.TextMapPropagator {
	return wholeFields{autoprop.NewTextMapPropagator()}
}

// wholeFields lets a propagator see all lines of traceparent and tracestate; the one for W3C Trace Context
// reads the first of each. The specification has the lines of tracestate combined, and a traceparent is one
// line: two have no one meaning, and combined they are no traceparent.
type wholeFields struct{ propagation.TextMapPropagator }

func (p wholeFields) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	values, ok := carrier.(propagation.ValuesGetter)
	if ok && (len(values.Values("traceparent")) > 1 || len(values.Values("tracestate")) > 1) {
		carrier = wholeCarrier{carrier, values}
	}
	return p.TextMapPropagator.Extract(ctx, carrier)
}

// w3cOnly tells whether p has nothing to read where there is neither a traceparent nor baggage.
func w3cOnly(p propagation.TextMapPropagator) bool {
	return !slices.ContainsFunc(p.Fields(), func(field string) bool {
		return field != "traceparent" && field != "tracestate" && field != "baggage"
	})
}

type wholeCarrier struct {
	propagation.TextMapCarrier
	propagation.ValuesGetter
}

func (c wholeCarrier) Get(key string) string {
	if key != "traceparent" && key != "tracestate" {
		return c.TextMapCarrier.Get(key)
	}
	return strings.Join(c.Values(key), ",") // RFC 9110, section 5.3
}

// caller is how a server takes the trace context of those who call it.
type caller struct {
	propagator propagation.TextMapPropagator
	stranger   bool // is linked to, and not continued
}

// withoutBaggage lets nothing in that would be sent on with every call below.
type withoutBaggage struct{ propagation.TextMapPropagator }

func (p withoutBaggage) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return baggage.ContextWithoutBaggage(p.TextMapPropagator.Extract(ctx, carrier))
}
