package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vitrine/e2e/component"
)

// nowhere refuses connections, and its URL has a password.
const nowhere = "redis://user:s3cret@127.0.0.1:1/0"

func (p *program) health(t *testing.T) (status string, code int) {
	t.Helper()
	a := get(t, p.url+"/health")
	var body struct{ Status string }
	a.json(t, &body)
	return body.Status, a.StatusCode
}

func TestHealthOK(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a := get(t, p.url+"/health")
	a.want(t, http.StatusOK, "application/json")
	if a.body != `{"status":"ok"}`+"\n" {
		t.Errorf("%s", a.body)
	}
	for _, probe := range []string{"/livez", "/readyz"} {
		if a := get(t, p.opsURL+probe); a.StatusCode != http.StatusOK || a.body != "ok\n" {
			t.Errorf("%s: %d, %q", probe, a.StatusCode, a.body)
		}
	}
}

// TestNotStarted: no request is sent here before the listeners are served.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	new(health).readyz(w, nil)
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != "starting\n" {
		t.Errorf("%d, %q", w.Code, w.Body)
	}
}

// TestDegraded: without its Redis the program starts, serves, and says what is wrong.
func TestDegraded(t *testing.T) {
	t.Parallel()
	for cache, again := range map[string]string{"tiered": "hit near", "redis": "miss none"} {
		t.Run(cache, func(t *testing.T) {
			p := start(t, map[string]string{"VITRINE_CACHE": cache, "VITRINE_REDIS_URL": nowhere, "VITRINE_SLOW_DELAY": "1ms"})
			eventually(t, "degraded", func() bool { status, _ := p.health(t); return status == "degraded" })
			a := get(t, p.url+"/health")
			a.want(t, http.StatusOK, "application/json")
			if a.body != `{"status":"degraded","degraded":["redis"]}`+"\n" {
				t.Errorf("%s", a.body)
			}
			ready := get(t, p.opsURL+"/readyz")
			if ready.StatusCode != http.StatusOK || !strings.HasPrefix(ready.body, "ok\ndegraded: redis: ") || !strings.Contains(ready.body, "refused") {
				t.Errorf("%d, %q; want it ready, and the reason", ready.StatusCode, ready.body)
			}

			for i, want := range []string{"miss none", again} {
				a := get(t, p.url+"/slow")
				a.want(t, http.StatusOK, "application/json")
				if got := spelled(a.Header.Get("Cache-Status")); got != want {
					t.Errorf("answer %d is a %s, want %s", i, got, want)
				}
			}
			p.stop(t)
			if n := len(p.logs.Records(t, "degraded: redis does not answer, going on without it")); n != 1 {
				t.Errorf("%d lines say so, want 1", n)
			}
			if strings.Contains(p.logs.String()+ready.body, "s3cret") {
				t.Errorf("the password is shown:\n%s", ready.body)
			}
		})
	}
}

// TestRedisComesAndGoes: health follows.
func TestRedisComesAndGoes(t *testing.T) {
	t.Parallel()
	redis := component.Redis(t)
	p := start(t, map[string]string{"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": redis.URL()})
	is := func(want string) {
		t.Helper()
		eventually(t, want, func() bool {
			status, code := p.health(t)
			if code != http.StatusOK {
				t.Fatalf("status %d", code)
			}
			return status == want
		})
	}
	eventually(t, "word of Redis", func() bool { return len(p.logs.Records(t, "redis answers")) > 0 })
	is("ok")
	redis.Kill()
	is("degraded")
	redis.Start()
	is("ok")
	eventually(t, "a plain ok", func() bool { return get(t, p.opsURL+"/readyz").body == "ok\n" })
}

// TestDraining: what is asked while the program drains is answered, and told to go elsewhere.
func TestDraining(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms"})
	if a := get(t, p.url+"/slow"); a.Header["Connection"] != nil && !a.Close {
		t.Errorf("Connection %q before the end", a.Header["Connection"])
	}
	p.server.health.draining.Store(true)
	if status, code := p.health(t); status != "shutting down" || code != http.StatusServiceUnavailable {
		t.Errorf("%q %d, want 503", status, code)
	}
	if a := get(t, p.opsURL+"/readyz"); a.StatusCode != http.StatusServiceUnavailable || a.body != "shutting down\n" {
		t.Errorf("ready: %d %q, want 503", a.StatusCode, a.body)
	}
	if a := get(t, p.opsURL+"/livez"); a.StatusCode != http.StatusOK {
		t.Errorf("alive: %d, want 200", a.StatusCode)
	}
	for _, path := range []string{"/slow", "/tiles/0/0/0", "/", "/nothing"} {
		conn := dial(t, p)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		// A server that closes after the answer lets ReadAll return.
		text, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(text), "\r\nConnection: close\r\n") || !strings.HasPrefix(string(text), "HTTP/1.1 ") {
			t.Errorf("%s: %v; want an answer with Connection: close:\n%.300q", path, err, text)
		}
	}
}

func TestHealthCommand(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	addr := p.opsAt.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	check := func(opsAddr string, more ...string) int {
		return exitCode(run(t.Context(), []string{"health"}, env(append(more, "VITRINE_OPS_ADDR", opsAddr)...), io.Discard, io.Discard), io.Discard)
	}
	for _, opsAddr := range []string{addr, ":" + port, "0.0.0.0:" + port, "[::]:" + port} {
		if code := check(opsAddr); code != 0 {
			t.Errorf("%s: exit code %d, want 0", opsAddr, code)
		}
	}
	if code := check(addr, "VITRINE_CACHE", "foo"); code != 2 {
		t.Errorf("wrong configuration: exit code %d, want 2", code)
	}
	p.server.health.draining.Store(true)
	if code := check(addr); code != 1 {
		t.Errorf("not ready: exit code %d, want 1", code)
	}
	if code := check("127.0.0.1:1"); code != 1 {
		t.Errorf("nobody there: exit code %d, want 1", code)
	}
}
