package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestCachesCompress: what can be compressed would be. No endpoint's answer is long enough yet.
func TestCachesCompress(t *testing.T) {
	p := start(t, nil)
	for _, c := range p.caches.all() {
		h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `["`+strings.Repeat("again and ", 200)+`again"]`)
		}))
		for accept, coding := range map[string]string{"gzip, deflate, br, zstd": "zstd", "gzip, deflate, br": "gzip", "": ""} {
			r := httptest.NewRequest(http.MethodGet, "/long", nil)
			r.Header.Set("Accept-Encoding", accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header(); got.Get("Content-Encoding") != coding || got.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s to %q: %v", c.Name(), accept, got)
			}
		}
	}
}
