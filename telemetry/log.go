package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
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

// newLogHandler writes records of level and above to w. NO_COLOR (https://no-color.org) turns colour off.
func newLogHandler(w io.Writer, format Format, level slog.Leveler) slog.Handler {
	file, ok := w.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	if format == FormatText || format == FormatAuto && terminal {
		return traceHandler{tint.NewTextHandler(w, &tint.Options{
			Level:      level,
			TimeFormat: time.TimeOnly,
			NoColor:    !terminal || os.Getenv("NO_COLOR") != "",
		})}
	}
	return traceHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})}
}

// traceHandler adds the trace and span of a record's context, and puts warnings and errors on the span,
// so that a trace viewer shows them where there is no log store.
type traceHandler struct{ slog.Handler }

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
	r = r.Clone()
	r.AddAttrs(
		slog.String("trace_id", sc.TraceID().String()),
		slog.String("span_id", sc.SpanID().String()),
	)
	return h.Handler.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
