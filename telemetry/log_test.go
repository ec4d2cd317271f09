package telemetry_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"vitrine/telemetry"
)

// started is a context with a span, ended with the test.
func started(t *testing.T, tel *telemetry.Telemetry) (context.Context, trace.Span) {
	t.Helper()
	ctx, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "span")
	t.Cleanup(func() { span.End() })
	return ctx, span
}

func TestLogNamesSpanAtTopLevel(t *testing.T) {
	for _, test := range []struct {
		desc string
		with func(*slog.Logger) *slog.Logger
		want func(record map[string]any) any // the attribute that the logger was given, or that of the call
	}{
		{"plain", func(l *slog.Logger) *slog.Logger { return l },
			func(r map[string]any) any { return r["key"] }},
		{"attributes", func(l *slog.Logger) *slog.Logger { return l.With("key", "value") },
			func(r map[string]any) any { return r["key"] }},
		{"group", func(l *slog.Logger) *slog.Logger { return l.WithGroup("g") },
			func(r map[string]any) any { return in(r, "g")["key"] }},
		{"no group", func(l *slog.Logger) *slog.Logger { return l.WithGroup("") },
			func(r map[string]any) any { return r["key"] }},
		{"attributes, then a group", func(l *slog.Logger) *slog.Logger { return l.With("key", "value").WithGroup("g") },
			func(r map[string]any) any { return r["key"] }},
		{"a group, then attributes", func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").With("key", "value") },
			func(r map[string]any) any { return in(r, "g")["key"] }},
		{"groups in groups", func(l *slog.Logger) *slog.Logger {
			return l.WithGroup("g").With("other", 1).WithGroup("h").With("key", "value")
		},
			func(r map[string]any) any { return in(r, "g", "h")["key"] }},
	} {
		t.Run(test.desc, func(t *testing.T) {
			tel, logs := setup(t, nil, telemetry.Options{})
			ctx, span := started(t, tel)
			logger := test.with(tel.Logger)
			logger.InfoContext(ctx, "within", "key", "value")
			logger.Info("without", "key", "value")

			within, without := logs.Record(t, "within"), logs.Record(t, "without")
			for name, want := range map[string]any{
				"trace_id": span.SpanContext().TraceID().String(), "span_id": span.SpanContext().SpanID().String(),
			} {
				if within[name] != want {
					t.Errorf("%s is %v at the top level, want %v: %v", name, within[name], want, within)
				}
				if strings.Count(logs.String(), `"`+name+`"`) != 1 {
					t.Errorf("%s stands more than once, or without a span:\n%s", name, logs.String())
				}
			}
			for _, record := range []map[string]any{within, without} {
				if got := test.want(record); got != "value" {
					t.Errorf("the attribute is %v: %v", got, record)
				}
			}
		})
	}
}

// in is what lies under the names.
func in(record map[string]any, names ...string) map[string]any {
	for _, name := range names {
		record, _ = record[name].(map[string]any)
	}
	return record
}

// TestLoggersDoNotShareGroups: two loggers made from one keep their own.
func TestLoggersDoNotShareGroups(t *testing.T) {
	tel, logs := setup(t, nil, telemetry.Options{})
	ctx, _ := started(t, tel)
	parent := tel.Logger.WithGroup("g").With("a", 1).With("b", 2)
	one, two := parent.WithGroup("one"), parent.WithGroup("two")
	one.InfoContext(ctx, "of one", "key", "value")
	two.InfoContext(ctx, "of two", "key", "value")
	for message, group := range map[string]string{"of one": "one", "of two": "two"} {
		if record := logs.Record(t, message); in(record, "g", group)["key"] != "value" {
			t.Errorf("want the attribute in the group %s: %v", group, record)
		}
	}
}

func TestWarningsAreSpanEvents(t *testing.T) {
	for _, test := range []struct {
		level slog.Level
		event bool
	}{
		{slog.LevelDebug, false}, {slog.LevelInfo, false}, {slog.LevelWarn - 1, false},
		{slog.LevelWarn, true}, {slog.LevelError, true},
	} {
		t.Run(test.level.String(), func(t *testing.T) {
			tel, _ := setup(t, nil, telemetry.Options{LogLevel: slog.LevelDebug})
			spans := recordSpans(t, tel)
			ctx, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "span")
			tel.Logger.Log(ctx, test.level, "message", "key", "value", slog.Group("group", "a", 1))
			span.End()

			events := spans.Ended()[0].Events()
			if !test.event {
				if len(events) != 0 {
					t.Errorf("events %v, want none", events)
				}
				return
			}
			if len(events) != 1 || events[0].Name != "message" {
				t.Fatalf("events %v, want the message", events)
			}
			got := map[string]string{}
			for _, a := range events[0].Attributes {
				got[string(a.Key)] = a.Value.AsString()
			}
			if got["key"] != "value" || got["log.severity"] != test.level.String() || got["group"] == "" {
				t.Errorf("attributes %v", got)
			}
		})
	}
}

func TestLogFormats(t *testing.T) {
	for _, test := range []struct {
		name string
		json bool
	}{{"json", true}, {"text", false}, {"auto", true}} { // what is no terminal gets JSON
		t.Run(test.name, func(t *testing.T) {
			var format telemetry.Format
			if err := format.UnmarshalText([]byte(test.name)); err != nil {
				t.Fatal(err)
			}
			tel, logs := setup(t, nil, telemetry.Options{LogFormat: format})
			ctx, span := started(t, tel)
			tel.Logger.InfoContext(ctx, "message", "key", "value")
			if test.json {
				logs.Record(t, "message")
				return
			}
			line := logs.String()
			for _, want := range []string{"INF message", "key=value", "trace_id=" + span.SpanContext().TraceID().String()} {
				if !strings.Contains(line, want) {
					t.Errorf("want %q in %q", want, line)
				}
			}
			if strings.ContainsAny(line, "\x1b{") {
				t.Errorf("colour, or JSON, where there is no terminal: %q", line)
			}
		})
	}
	for _, name := range []string{"", "JSON", "logfmt"} {
		err := new(telemetry.Format).UnmarshalText([]byte(name))
		if err == nil || !strings.Contains(err.Error(), "auto, text, json") {
			t.Errorf("format %q: %v, want an error that says what is allowed", name, err)
		}
	}
}

func TestLogLevelChanges(t *testing.T) {
	tel, logs := setup(t, nil, telemetry.Options{LogLevel: slog.LevelWarn})
	derived := tel.Logger.WithGroup("g").With("a", 1)
	say := func(message string) {
		tel.Logger.Info(message)
		derived.Info(message)
	}
	say("too low")
	tel.Level.Set(slog.LevelInfo)
	say("heard")
	tel.Level.Set(slog.LevelError)
	say("too low again")
	if got := strings.Count(logs.String(), "\n"); got != 2 || len(logs.Records(t, "heard")) != 2 {
		t.Errorf("%d lines, want those of INFO:\n%s", got, logs.String())
	}
}
