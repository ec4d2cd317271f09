package telemetry_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

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
	shop := httptest.NewServer(t.Server(mux, nil)) // or http.ListenAndServe(":8000", t.Server(mux, nil))
	defer shop.Close()
	res, err := http.Get(shop.URL + "/tea/green") // has a span, a duration in /metrics and an access line
	fmt.Println(res.Status, res.Header.Get("Traceresponse") != "", err)
	// Output:
	// 200 OK true <nil>
}
