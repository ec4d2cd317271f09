package telemetry

import (
	"math"
	"os"
	"strconv"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// batching is what OTEL_BSP_* say of the queue before the exporter.
type batching struct {
	queue, batch   int // spans
	delay, timeout time.Duration
}

// batching reads OTEL_BSP_*. The SDK would do so itself, and panic on a negative size.
func (t *Telemetry) batching() batching {
	b := batching{
		queue: t.number("OTEL_BSP_MAX_QUEUE_SIZE", sdktrace.DefaultMaxQueueSize, 1),
		batch: t.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", sdktrace.DefaultMaxExportBatchSize, 1),
		delay: time.Duration(t.number("OTEL_BSP_SCHEDULE_DELAY", sdktrace.DefaultScheduleDelay, 0)) * time.Millisecond,
		// Zero is no limit.
		timeout: time.Duration(t.number("OTEL_BSP_EXPORT_TIMEOUT", sdktrace.DefaultExportTimeout, 0)) * time.Millisecond,
	}
	if b.batch > b.queue {
		b.batch = min(sdktrace.DefaultMaxExportBatchSize, b.queue)
	}
	b.delay = max(b.delay, time.Millisecond) // with none at all the SDK's loop never rests
	return b
}

// checkLimits warns of limits that the SDK passes over in silence.
func (t *Telemetry) checkLimits() {
	for _, name := range []string{
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT",
		"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
		"OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT",
		"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
	} {
		t.number(name, 0, math.MinInt32) // below zero is no limit, to the SDK
	}
}

// number reads an integer. One that is none, or less than least, is warned of and ignored, as the
// specification has it.
func (t *Telemetry) number(name string, initial, least int) int {
	value := os.Getenv(name)
	if value == "" {
		return initial
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || int(n) < least {
		t.Logger.Warn("opentelemetry: variable ignored", "variable", name, "value", value, "allowed", "an integer from "+strconv.Itoa(least))
		return initial
	}
	return int(n)
}
