package telemetry_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"vitrine/telemetry"
	"vitrine/telemetry/telemetrytest"
)

// TestCollectors: what real HTTP makes of collectors that fail, each in its way, and that a collector which
// is back gets spans again.
func TestCollectors(t *testing.T) {
	status := func(code int, header ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		})
	}
	for _, test := range []struct {
		desc  string
		down  http.Handler
		grpc  bool   // the collector takes connections, and says nothing
		kind  string // the error_type of what fails; empty: none does
		drops bool   // the queue is full before the first export ends
	}{
		{"hangs", http.HandlerFunc(hang), false, "timeout", true},
		{"hangs, gRPC", nil, true, "timeout", true},
		{"breaks off", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), false, "_OTHER", false},
		{"503", status(503), false, "timeout", true}, // retried as long as there is time
		{"503 for an hour", status(503, "Retry-After", "3600"), false, "_OTHER", false},
		{"429", status(429), false, "timeout", true},
		{"400", status(400), false, "_OTHER", false},
		{"401", status(401), false, "_OTHER", false},
		{"404", status(404), false, "_OTHER", false},
		{"500", status(500), false, "_OTHER", false},
		{"rubbish", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write([]byte("<html>"))
		}), false, "_OTHER", false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			receiver := telemetrytest.NewCollector(t)
			env := map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL, "OTEL_BSP_MAX_QUEUE_SIZE": "1000",
				"OTEL_BSP_SCHEDULE_DELAY": "5",
			}
			if test.kind == "timeout" { // the others fail by themselves
				env["OTEL_BSP_EXPORT_TIMEOUT"] = "200"
			}
			if test.grpc {
				env["OTEL_EXPORTER_OTLP_ENDPOINT"], env["OTEL_EXPORTER_OTLP_PROTOCOL"] = silence(t), "grpc"
			}
			tel, _ := setup(t, env, telemetry.Options{})
			receiver.Answer(test.down)
			const ended = 12000
			end(tel, ended)
			a := atRest(t, tel.Registry)
			if a.ended() != ended || a.exported[""] != 0 || a.failed() != a.exported[test.kind] || a.failed() == 0 || a.operations[test.kind] == 0 {
				t.Errorf("%+v; want %d in all, and failures by %q alone", a, ended, test.kind)
			}
			if test.drops && a.refused == 0 {
				t.Errorf("none of %d refused by a queue for 1000", ended)
			}
			if test.grpc {
				return
			}
			receiver.Answer(nil)
			since := 0
			eventually(t, "recovery", func() bool {
				end(tel, 10)
				since += 10
				a, _ = accountOf(t, tel.Registry)
				return a.exported[""] > 0
			})
			shutdown(t, tel)
			if a, _ = accountOf(t, tel.Registry); a.ended() != float64(ended+since) || a.exported[""] > float64(len(receiver.Spans())) {
				t.Errorf("%+v; want %d in all, of which %d arrived", a, ended+since, len(receiver.Spans()))
			}
		})
	}
}

// hang answers nothing until the client is gone, which a server notices once it has read the body.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// end ends n spans.
func end(tel *telemetry.Telemetry, n int) {
	tracer := tel.TracerProvider.Tracer("test")
	for range n {
		_, span := tracer.Start(context.Background(), "span")
		span.End()
	}
}

// silence is the URL of a listener that accepts and never answers.
func silence(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return "http://" + l.Addr().String()
}

// TestSlowCollector: while it takes its time, the queue holds its bound and the rest is refused; what was
// accepted arrives.
func TestSlowCollector(t *testing.T) {
	receiver := telemetrytest.NewCollector(t)
	tel, _ := setup(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL, "OTEL_BSP_MAX_QUEUE_SIZE": "1000", "OTEL_BSP_SCHEDULE_DELAY": "5",
	}, telemetry.Options{})
	asked, taken := make(chan struct{}, 1), make(chan struct{})
	receiver.Answer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-taken }))
	end(tel, 600)
	<-asked
	end(tel, 11400)
	if a, _ := accountOf(t, tel.Registry); a.pending != 1000 || a.refused != 11000 || a.ended() != 12000 {
		t.Errorf("%+v; want 1000 pending and 11000 refused", a)
	}
	receiver.Answer(nil)
	close(taken)
	shutdown(t, tel)
	a, _ := accountOf(t, tel.Registry)
	if a.exported[""] != 1000 || a.pending != 0 || a.ended() != 12000 {
		t.Errorf("%+v; want 1000 exported", a)
	}
}

// TestRefusedConnection: nobody listens.
func TestRefusedConnection(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			tel, logs := setup(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": nowhere, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_BSP_EXPORT_TIMEOUT": "200",
			}, telemetry.Options{})
			end(tel, 100)
			shutdown(t, tel)
			a, _ := accountOf(t, tel.Registry)
			if a.failed() != 100 || a.ended() != 100 {
				t.Errorf("%+v; want 100 that failed", a)
			}
			if line := logs.Record(t, "spans not exported at shutdown"); line["spans"] != 100. {
				t.Errorf("the log says %v", line)
			}
		})
	}
}

// TestPartialSuccess: by the conventions, what the collector rejected failed and the rest did not.
func TestPartialSuccess(t *testing.T) {
	for _, test := range []struct {
		desc               string
		message            string
		rejected           int64
		exported, rejects  float64
		operations, errors uint64
	}{
		{"some", "too old (5 spans rejected)", 3, 7, 3, 0, 1},
		{"some, without a word", "", 3, 7, 3, 0, 1},
		{"all", "too old", 10, 0, 10, 0, 1},
		{"more than there are", "I cannot count", 1 << 62, 0, 10, 0, 1},
		{"none: a warning", "soon too old", 0, 10, 0, 1, 0},
	} {
		t.Run(test.desc, func(t *testing.T) {
			receiver := telemetrytest.NewCollector(t)
			receiver.Answer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				body, err := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{
					RejectedSpans: test.rejected, ErrorMessage: test.message,
				}})
				if err != nil {
					t.Error(err)
				}
				w.Header().Set("Content-Type", "application/x-protobuf")
				_, _ = w.Write(body)
			}))
			tel, logs := setup(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL}, telemetry.Options{})
			end(tel, 10)
			shutdown(t, tel)
			a, _ := accountOf(t, tel.Registry)
			if a.exported[""] != test.exported || a.exported["rejected"] != test.rejects || a.ended() != 10 {
				t.Errorf("%+v; want %v exported and %v rejected", a, test.exported, test.rejects)
			}
			if a.operations[""] != test.operations || a.operations["rejected"] != test.errors {
				t.Errorf("%v operations; want %d, and %d rejected", a.operations, test.operations, test.errors)
			}
			logs.Record(t, "opentelemetry")
		})
	}
}
