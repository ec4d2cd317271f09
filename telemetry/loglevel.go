package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// LevelHandler reads (GET) and sets (PUT) the lowest level that Logger writes: debug, info, warn or error, in
// any case, as text. It answers with the level in force, or with 400 and what is allowed. A change is logged
// at INFO whatever the level is. Mount it where only operators reach it.
func (t *Telemetry) LevelHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
		case http.MethodPut:
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64))
			level, ok := parseLevel(string(body))
			if err != nil || !ok {
				http.Error(w, allowedLevels, http.StatusBadRequest)
				return
			}
			t.setLevel(r, level)
		default:
			w.Header().Set("Allow", "GET, HEAD, PUT")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, t.Level.Level())
	})
}

const allowedLevels = "allowed are debug, info, warn, error"

// parseLevel knows the four levels by name alone: slog's own reading also takes INFO+2.
func parseLevel(name string) (slog.Level, bool) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(strings.TrimSpace(name), level.String()) {
			return level, true
		}
	}
	return 0, false
}

func (t *Telemetry) setLevel(r *http.Request, level slog.Level) {
	before := t.Level.Level()
	t.Level.Set(level)
	if before == level {
		return
	}
	// Past the logger, which asks the level first.
	record := slog.NewRecord(time.Now(), slog.LevelInfo, "log level changed", 0)
	record.AddAttrs(slog.String("from", before.String()), slog.String("to", level.String()), slog.String("client", r.RemoteAddr))
	_ = t.Logger.Handler().Handle(r.Context(), record) // a write that fails is counted
}
