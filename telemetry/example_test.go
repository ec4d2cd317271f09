package telemetry_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"vitrine/telemetry"
)

// The second example of README.md.
func Example() {
	t, err := telemetry.Setup(context.Background(), telemetry.Options{Service: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Shutdown(context.Background()) // flushes
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", t.Metrics())
	mux.HandleFunc("GET /tea/{kind}", func(_ http.ResponseWriter, r *http.Request) {
		t.Logger.InfoContext(r.Context(), "pouring") // with trace_id and span_id
	})
	shop := t.Server(mux, nil) // for each request a span, a duration and an access line
	get(shop, "/tea/green")
	fmt.Println(lineOf(get(shop, "/metrics"), "http_server_request_duration_seconds_count"))
	// Output:
	// http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/tea/{kind}"} 1
}

func get(h http.Handler, path string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Body.String()
}

// lineOf is the first line of a text that begins with a word.
func lineOf(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
