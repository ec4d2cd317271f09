package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/lmittmann/tint"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/term"
)

// Format is how log records are written.
type Format int

// FormatAuto is text on a terminal and JSON elsewhere.
const (
	FormatAuto Format = iota
	FormatText
	FormatJSON
)

// UnmarshalText reads auto, text or json.
func (f *Format) UnmarshalText(text []byte) error {
	for i, name := range []string{"auto", "text", "json"} {
		if name == string(text) {
			*f = Format(i)
			return nil
		}
	}
	return fmt.Errorf("allowed are auto, text, json")
}

// text tells whether records to w are text, and whether a terminal shows them.
func (f Format) text(w io.Writer) (text, terminal bool) {
	file, ok := w.(*os.File)
	terminal = ok && term.IsTerminal(int(file.Fd()))
	return f == FormatText || f == FormatAuto && terminal, terminal
}

// newLogHandler writes records of level and above to w. NO_COLOR (https://no-color.org) turns colour off.
func newLogHandler(w io.Writer, format Format, level slog.Leveler, unwritten prometheus.Counter) slog.Handler {
	text, terminal := format.text(w)
	w = countingWriter{w, unwritten}
	if text {
		return newTraceHandler(tint.NewTextHandler(w, &tint.Options{
			Level:      level,
			TimeFormat: time.TimeOnly,
			NoColor:    !terminal || os.Getenv("NO_COLOR") != "",
		}))
	}
	return newTraceHandler(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// traceHandler adds the trace and span of a record's context, and puts warnings and errors on the span,
// so that a trace viewer shows them where there is no log store.
type traceHandler struct {
	slog.Handler
	// outer is the handler before its first group, and inner what was asked of it since: the ids go in
	// between, because they belong to the record and to no group.
	outer slog.Handler
	inner []func(slog.Handler) slog.Handler
}

func newTraceHandler(h slog.Handler) traceHandler { return traceHandler{Handler: h, outer: h} }

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanFromContext(ctx)
	sc := span.SpanContext()
	if !sc.IsValid() {
		return h.Handler.Handle(ctx, r)
	}
	if r.Level >= slog.LevelWarn && span.IsRecording() {
		attrs := []attribute.KeyValue{attribute.String("log.severity", r.Level.String())}
		r.Attrs(func(a slog.Attr) bool {
			attrs = append(attrs, attribute.String(a.Key, a.Value.Resolve().String()))
			return true
		})
		span.AddEvent(r.Message, trace.WithTimestamp(r.Time), trace.WithAttributes(attrs...))
	}
	ids := []slog.Attr{
		slog.String("trace_id", sc.TraceID().String()),
		slog.String("span_id", sc.SpanID().String()),
	}
	if len(h.inner) == 0 {
		r = r.Clone()
		r.AddAttrs(ids...)
		return h.Handler.Handle(ctx, r)
	}
	grouped := h.outer.WithAttrs(ids)
	for _, with := range h.inner {
		grouped = with(grouped)
	}
	return grouped.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(h.inner) == 0 {
		return newTraceHandler(h.Handler.WithAttrs(attrs))
	}
	return h.with(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.with(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h traceHandler) with(f func(slog.Handler) slog.Handler) slog.Handler {
	return traceHandler{Handler: f(h.Handler), outer: h.outer, inner: append(slices.Clip(h.inner), f)}
}
