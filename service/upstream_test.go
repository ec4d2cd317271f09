package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// balancer stands in front of a program, as nginx does, and counts what goes through it.
type balancer struct {
	*httptest.Server
	target atomic.Pointer[httputil.ReverseProxy]

	mu    sync.Mutex
	paths map[string]int
	held  chan struct{} // requests wait until it is closed; nil: they do not
}

// startBalancer starts one that knows no program yet.
func startBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{paths: map[string]int{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.paths[r.URL.Path]++
	held := b.held
	b.mu.Unlock()
	if held != nil {
		<-held
	}
	b.target.Load().ServeHTTP(w, r)
}

// before points the balancer at a program.
func (b *balancer) before(t *testing.T, p *program) {
	t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.Transport = &http.Transport{DisableKeepAlives: true} // an unused connection holds up a shutdown
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	b.target.Store(proxy)
}

// hold lets requests wait until the function that it returns is called, or the test ends.
func (b *balancer) hold(t *testing.T) (release func()) {
	held := make(chan struct{})
	b.mu.Lock()
	b.held = held
	b.mu.Unlock()
	release = sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	return release
}

// levels is how many requests came for /stats of each level.
func (b *balancer) levels() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := map[string]int{}
	for path, count := range b.paths {
		n[strings.Split(path, "/")[2]] += count
	}
	return n
}

func (b *balancer) requests() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, count := range b.paths {
		n += count
	}
	return n
}
