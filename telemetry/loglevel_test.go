package telemetry_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vitrine/telemetry"
)

func TestLevelHandler(t *testing.T) {
	const allowed = "allowed are debug, info, warn, error\n"
	for _, test := range []struct {
		desc, method, body string
		status             int
		answer             string
		level              slog.Level
		logged             bool
	}{
		{"read", "GET", "", 200, "INFO\n", slog.LevelInfo, false},
		{"head", "HEAD", "", 200, "", slog.LevelInfo, false},
		{"debug", "PUT", "debug", 200, "DEBUG\n", slog.LevelDebug, true},
		{"warn", "PUT", "warn", 200, "WARN\n", slog.LevelWarn, true},
		{"error", "PUT", "error", 200, "ERROR\n", slog.LevelError, true},
		{"upper case", "PUT", "ERROR", 200, "ERROR\n", slog.LevelError, true},
		{"any case, and a line", "PUT", "  Debug\r\n", 200, "DEBUG\n", slog.LevelDebug, true},
		{"as it is", "PUT", "info", 200, "INFO\n", slog.LevelInfo, false},
		{"nothing", "PUT", "", 400, allowed, slog.LevelInfo, false},
		{"unknown", "PUT", "trace", 400, allowed, slog.LevelInfo, false},
		{"in between", "PUT", "INFO+2", 400, allowed, slog.LevelInfo, false},
		{"a number", "PUT", "-4", 400, allowed, slog.LevelInfo, false},
		{"a form", "PUT", "level=debug", 400, allowed, slog.LevelInfo, false},
		{"two", "PUT", "debug info", 400, allowed, slog.LevelInfo, false},
		{"a level, and far too much", "PUT", "debug" + strings.Repeat(" ", 1<<20), 400, allowed, slog.LevelInfo, false},
		{"POST", "POST", "debug", 405, "Method Not Allowed\n", slog.LevelInfo, false},
		{"DELETE", "DELETE", "", 405, "Method Not Allowed\n", slog.LevelInfo, false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			tel, logs := setup(t, nil, telemetry.Options{})
			body := io.Reader(strings.NewReader(test.body))
			if test.method == http.MethodGet {
				body = http.NoBody
			}
			srv := httptest.NewServer(tel.LevelHandler())
			defer srv.Close()
			req, err := http.NewRequestWithContext(t.Context(), test.method, srv.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			answer, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != test.status || string(answer) != test.answer {
				t.Errorf("%d, %q, %v; want %d, %q", res.StatusCode, answer, err, test.status, test.answer)
			}
			if allow := res.Header.Get("Allow"); (allow == "GET, HEAD, PUT") != (test.status == 405) {
				t.Errorf("Allow %q", allow)
			}
			if got := tel.Level.Level(); got != test.level {
				t.Errorf("the level is %s, want %s", got, test.level)
			}
			lines := logs.Records(t, "log level changed")
			if !test.logged {
				if len(lines) != 0 {
					t.Errorf("the log says %v", lines)
				}
				return
			}
			// Also where its level is too low for the log.
			if len(lines) != 1 || lines[0]["level"] != "INFO" || lines[0]["from"] != "INFO" || lines[0]["to"] != test.level.String() || lines[0]["client"] == "" {
				t.Errorf("the log says %v", lines)
			}
		})
	}
}

// TestLevelActs: what is logged follows at once, also by loggers that were there before.
func TestLevelActs(t *testing.T) {
	tel, logs := setup(t, nil, telemetry.Options{})
	derived := tel.Logger.With("a", 1).WithGroup("g")
	h := tel.LevelHandler()
	for _, level := range []string{"error", "debug", "info"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/", strings.NewReader(level)))
		if rec.Code != http.StatusOK {
			t.Fatalf("%s: %d", level, rec.Code)
		}
		for _, l := range []*slog.Logger{tel.Logger, derived} {
			l.Debug("at " + level)
			l.Info("at " + level)
			l.Error("at " + level)
		}
	}
	for level, want := range map[string]int{"error": 2, "debug": 6, "info": 4} {
		if n := len(logs.Records(t, "at "+level)); n != want {
			t.Errorf("at %s: %d lines, want %d", level, n, want)
		}
	}
	if n := len(logs.Records(t, "log level changed")); n != 3 {
		t.Errorf("%d changes logged, want 3", n)
	}
}
