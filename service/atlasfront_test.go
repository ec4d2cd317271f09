package main

import (
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// front is a proxy before a program, as a load balancer would be.
type front struct {
	*httptest.Server

	mu      sync.Mutex
	answers map[string]http.Header                            // by path, the last
	instead func(w http.ResponseWriter, r *http.Request) bool // true: it has answered in the program's place
}

func newFront(t *testing.T, p *program) *front {
	t.Helper()
	target, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{answers: map[string]http.Header{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // a browser that gives up a request
	proxy.ModifyResponse = func(res *http.Response) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.answers[res.Request.URL.Path] = res.Header.Clone()
		return nil
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		instead := f.instead
		f.mu.Unlock()
		if instead == nil || !instead(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

// answer has instead stand before the program; nil ends that.
func (f *front) answer(instead func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = instead
}

// seen are the fields of the last answers, by path.
func (f *front) seen() map[string]http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.answers)
}
