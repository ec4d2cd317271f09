package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/telemetry"
)

// TestServerTiming: every answer says how long it took to begin and who gave it, however it begins.
func TestServerTiming(t *testing.T) {
	slow := func(d time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { time.Sleep(d); hello(w, r) }
	}
	mux := http.NewServeMux()
	for path, h := range map[string]http.Handler{
		"/fast": http.HandlerFunc(hello), "/hundredths": slow(250 * time.Microsecond), "/slow": slow(1250 * time.Millisecond),
		"/nothing": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(3 * time.Millisecond) }),
		"/status": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(3 * time.Millisecond)
			w.WriteHeader(http.StatusTeapot)
		}),
		"/flushed": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Second) // is the body's time
			hello(w, r)
		}),
		"/own":   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Server-Timing", "db;dur=2"); hello(w, r) }),
		"/panic": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }),
		"/hand":  handy{http.HandlerFunc(hello)},
	} {
		mux.Handle("GET "+path, h)
	}
	for path, want := range map[string]string{
		"/fast": "app;dur=0.00", "/hundredths": "app;dur=0.25", "/slow": "app;dur=1250.00", "/nothing": "app;dur=3.00", "/status": "app;dur=3.00",
		"/flushed": "app;dur=0.00", "/own": "db;dur=2|app;dur=0.00", "/panic": "app;dur=0.00", "/no route": "app;dur=0.00", "/hand": "app;dur=0.00",
	} {
		t.Run(path, func(t *testing.T) {
			tel, _ := setup(t, nil, telemetry.Options{Instance: "a \"quoted\"\\\r\nöne", ServerTiming: true})
			h := tel.Server(mux, nil)
			synctest.Test(t, func(t *testing.T) {
				w := httptest.NewRecorder()
				r, err := http.NewRequest(http.MethodGet, "http://host"+strings.ReplaceAll(path, " ", "%20"), nil)
				if err != nil {
					t.Fatal(err)
				}
				h.ServeHTTP(w, r)
				if got, want := strings.Join(w.Result().Header["Server-Timing"], "|"), want+`;desc="a \"quoted\"\\ne"`; got != want {
					t.Errorf("Server-Timing: %s, want %s", got, want)
				}
			})
		})
	}
}

// TestNoServerTiming: it is for whoever wants to be known.
func TestNoServerTiming(t *testing.T) {
	x := request(t, route("GET /", hello), "GET", "/", nil)
	if got := x.res.Header["Server-Timing"]; got != nil {
		t.Errorf("Server-Timing: %s", got)
	}
}
