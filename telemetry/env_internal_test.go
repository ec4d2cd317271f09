package telemetry

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"vitrine/telemetry/telemetrytest"
)

// TestBatching: what is right is taken, and what is wrong is warned of and as if it were not set.
func TestBatching(t *testing.T) {
	const queue, batch, delay, timeout = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT"
	with := func(change func(*batching)) batching {
		b := defaults
		change(&b)
		return b
	}
	for _, test := range []struct {
		desc  string
		env   map[string]string
		want  batching
		warns string // the variable
	}{
		{"not set", nil, defaults, ""},
		{"empty", map[string]string{queue: "", batch: "", delay: "", timeout: ""}, defaults, ""},
		{"all", map[string]string{queue: "100", batch: "10", delay: "1000", timeout: "2000"},
			batching{100, 10, time.Second, 2 * time.Second}, ""},
		{"a queue for one", map[string]string{queue: "1"}, with(func(b *batching) { b.queue, b.batch = 1, 1 }), ""},
		{"no queue", map[string]string{queue: "0"}, defaults, queue},
		{"a negative queue", map[string]string{queue: "-1"}, defaults, queue}, // the SDK panics
		{"a queue that is no number", map[string]string{queue: "many"}, defaults, queue},
		{"a queue of a fraction", map[string]string{queue: "1e3"}, defaults, queue},
		{"a queue beyond all memory", map[string]string{queue: "9223372036854775807"}, defaults, queue},
		{"no batch", map[string]string{batch: "0"}, defaults, batch},
		{"a negative batch", map[string]string{batch: "-5"}, defaults, batch}, // the SDK panics
		{"a batch larger than the queue", map[string]string{queue: "1000", batch: "2000"}, with(func(b *batching) { b.queue = 1000 }), ""},
		{"a batch larger than a small queue", map[string]string{queue: "100", batch: "2000"}, with(func(b *batching) { b.queue, b.batch = 100, 100 }), ""},
		{"a large batch", map[string]string{batch: "2048"}, with(func(b *batching) { b.batch = 2048 }), ""},
		{"at once", map[string]string{delay: "0"}, with(func(b *batching) { b.delay = time.Millisecond }), ""},
		{"a negative delay", map[string]string{delay: "-1"}, defaults, delay},
		{"a delay with a unit", map[string]string{delay: "5s"}, defaults, delay},
		{"no limit of time", map[string]string{timeout: "0"}, with(func(b *batching) { b.timeout = 0 }), ""},
		{"a negative timeout", map[string]string{timeout: "-1"}, defaults, timeout},
	} {
		t.Run(test.desc, func(t *testing.T) {
			for _, name := range []string{queue, batch, delay, timeout} {
				t.Setenv(name, test.env[name])
			}
			logs := new(telemetrytest.Log)
			tel := &Telemetry{Logger: slog.New(slog.NewJSONHandler(logs, nil))}
			if got := tel.batching(); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if test.warns == "" {
				if logs.String() != "" {
					t.Errorf("want nothing in the log:\n%s", logs)
				}
				return
			}
			line := logs.Record(t, "opentelemetry: variable ignored")
			if line["level"] != "WARN" || line["variable"] != test.warns || line["value"] != test.env[test.warns] ||
				!strings.HasPrefix(line["allowed"].(string), "an integer from ") {
				t.Errorf("the log says %v, want a warning of %s", line, test.warns)
			}
		})
	}
}
