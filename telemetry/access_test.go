package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/telemetry"
)

// routine is an Annotate to which every answer is routine.
func routine(ctx context.Context) (context.Context, telemetry.Note) {
	return ctx, func() ([]slog.Attr, bool) { return []slog.Attr{slog.String("outcome", "hit")}, true }
}

// TestRoutineLines: of the routine answers of a second the first have their line, and then one in 100.
func TestRoutineLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			desc    string
			options telemetry.Options
			status  int
			takes   time.Duration
			lines   int // of 1000 requests
			sampled int // of these
		}{
			{"ten, and one in 100 of 990", telemetry.Options{RoutineLines: 10}, 200, 0, 19, 9},
			{"the default", telemetry.Options{}, 200, 0, 109, 9},
			{"all", telemetry.Options{RoutineLines: -1}, 200, 0, 1000, 0},
			{"text", telemetry.Options{RoutineLines: 10, LogFormat: telemetry.FormatText}, 200, 0, 1000, 0},
			{"client errors", telemetry.Options{RoutineLines: 10}, 404, 0, 1000, 0},
			{"server errors", telemetry.Options{RoutineLines: 10}, 503, 0, 1000, 0},
			{"slow ones", telemetry.Options{RoutineLines: 10}, 200, time.Second, 1000, 0},
			{"slower than is allowed", telemetry.Options{RoutineLines: 10, SlowRequest: time.Millisecond}, 200, time.Millisecond, 1000, 0},
			{"ten in each second", telemetry.Options{RoutineLines: 10}, 200, 5 * time.Millisecond, 5*(10+1) + 1, 5}, // the last ends with the fifth second
		} {
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			tel, logs := setup(t, map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}, test.options)
			h := tel.Server(route("GET /", func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(test.takes)
				w.WriteHeader(test.status)
			}), routine)
			for range 1000 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}
			lines, sampled := 0, 0
			if test.options.LogFormat == telemetry.FormatText {
				lines = logs.Lines()
			} else {
				for _, line := range logs.Records(t, "request") {
					lines++
					if line["sample_rate"] == 100. {
						sampled++
					}
				}
			}
			if lines != test.lines || sampled != test.sampled {
				t.Errorf("%s: %d lines, %d of them sampled; want %d and %d", test.desc, lines, sampled, test.lines, test.sampled)
			}
			dropped := metric(t, tel.Registry, "log_records_dropped_total", map[string]string{"reason": "sampled"}).GetCounter().GetValue()
			if lines+int(dropped) != 1000 {
				t.Errorf("%s: %d lines and %v dropped, want 1000 in all", test.desc, lines, dropped)
			}
		}
	})
}

// TestAccessLineSaysNoMoreThanAsked: a query and an address may be somebody's own.
func TestAccessLineSaysNoMoreThanAsked(t *testing.T) {
	header := http.Header{"X-Forwarded-For": {"192.0.2.1", "198.51.100.2, 203.0.113.3"}}
	for _, test := range []struct {
		desc          string
		options       telemetry.Options
		header        http.Header
		query, client any
	}{
		{"nothing asked", telemetry.Options{}, header, nil, nil},
		{"the query", telemetry.Options{LogQuery: true}, header, "token=s3cret", nil},
		{"the peer", telemetry.Options{LogClient: telemetry.ClientPeer}, header, nil, "127.0.0.1"},
		{"what the nearest proxy says", telemetry.Options{LogClient: telemetry.ClientForwarded}, header, nil, "203.0.113.3"},
		{"no proxy", telemetry.Options{LogClient: telemetry.ClientForwarded}, nil, nil, "127.0.0.1"},
	} {
		t.Run(test.desc, func(t *testing.T) {
			tel, logs := setup(t, nil, test.options)
			spans := recordSpans(t, tel)
			if _, _, err := ask(t, tel.Server(route("GET /", hello), nil), "GET", "/?token=s3cret", test.header); err != nil {
				t.Fatal(err)
			}
			if line := logs.Record(t, "request"); line["query"] != test.query || line["client"] != test.client {
				t.Errorf("%v; want query %v and client %v", line, test.query, test.client)
			}
			for name, value := range attributes(spans.Ended()[0]) {
				if value == "token=s3cret" {
					t.Errorf("the span says it as %s", name)
				}
			}
		})
	}
}

func TestAccessLineLevel(t *testing.T) {
	for status, want := range map[int]string{200: "INFO", 404: "INFO", 500: "ERROR", 503: "ERROR"} {
		x := request(t, route("GET /", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }), "GET", "/", nil)
		if x.line["level"] != want {
			t.Errorf("status %d is logged as %v, want %s", status, x.line["level"], want)
		}
		events := x.span.Events()
		if (len(events) == 1 && events[0].Name == "request") != (want == "ERROR") {
			t.Errorf("status %d: events %v; what is at WARN or above is one", status, events)
		}
	}
}

func TestClientAddressNames(t *testing.T) {
	for i, name := range []string{"none", "peer", "forwarded"} {
		var c telemetry.ClientAddress
		if err := c.UnmarshalText([]byte(name)); err != nil || int(c) != i {
			t.Errorf("%s is %d, %v", name, c, err)
		}
	}
	var c telemetry.ClientAddress
	if err := c.UnmarshalText([]byte("all")); err == nil || fmt.Sprint(err) != "allowed are none, peer, forwarded" {
		t.Errorf("%v", err)
	}
}
