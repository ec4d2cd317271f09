package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vitrine/telemetry/telemetrytest"
)

// TestShutdownUnderLoad: every request that is accepted gets its whole answer and its span arrives, and no
// client is refused while the program still listens.
func TestShutdownUnderLoad(t *testing.T) {
	receiver := telemetrytest.NewCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100000")
	p := start(t, map[string]string{
		"VITRINE_DRAIN_DELAY": "300ms", "VITRINE_SLOW_DELAY": "10ms", "VITRINE_CACHE_TTL": "0s",
	})
	var answered, farewells atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			client := &http.Client{Transport: new(http.Transport), Timeout: patience}
			defer client.CloseIdleConnections()
			for {
				res, err := client.Get(p.url + "/slow")
				if err != nil {
					if conn, dialed := net.Dial("tcp", p.publicAt.Addr().String()); dialed == nil {
						conn.Close()
						t.Errorf("an error while the program listens: %v", err)
					}
					return
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK || !json.Valid(body) {
					t.Errorf("status %d, %q, %v", res.StatusCode, body, err)
					return
				}
				answered.Add(1)
				if res.Close {
					farewells.Add(1)
				}
			}
		})
	}
	eventually(t, "load", func() bool { return answered.Load() > 100 })
	if farewells.Load() != 0 {
		t.Errorf("%d answers closed their connection before the end", farewells.Load())
	}
	p.stop(t)
	clients.Wait()
	if farewells.Load() == 0 {
		t.Error("no answer said Connection: close during the drain")
	}
	if got := receiver.Servers("GET /slow"); int64(got) != answered.Load() {
		t.Errorf("%d server spans arrived, and %d answers", got, answered.Load())
	}
	lines := p.logs.Records(t, "request")
	if int64(len(lines)) != answered.Load() {
		t.Errorf("%d access lines, and %d answers", len(lines), answered.Load())
	}
	if len(p.logs.Records(t, "bye")) != 1 {
		t.Error("no goodbye in the log")
	}
}

// outcome is what a client got.
type outcome struct {
	answer
	err error
}

// held is a program with one request in it, which waits for the upstream.
func held(t *testing.T, env map[string]string) (p *program, release func(), done <-chan outcome) {
	t.Helper()
	b := startBalancer(t)
	release = b.hold(t)
	if env == nil {
		env = map[string]string{}
	}
	env["VITRINE_UPSTREAM_URL"] = b.URL
	leaf := start(t, nil) // whose answers are waited for
	b.before(t, leaf)
	p = start(t, env)
	t.Cleanup(release)
	answers := make(chan outcome, 1)
	go func() {
		a, err := try(t, http.MethodGet, p.url+"/stats/1/0/0")
		answers <- outcome{a, err}
	}()
	eventually(t, "the request", func() bool { return b.requests() == 4 })
	return p, release, answers
}

// TestShutdownFinishesWhatRuns: while it does, nobody new is let in, and the probes go on answering.
func TestShutdownFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	p, release, done := held(t, map[string]string{"VITRINE_SHUTDOWN_TIMEOUT": "10m"})
	p.cancel()
	eventually(t, "a closed listener", func() bool {
		conn, err := net.Dial("tcp", p.publicAt.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if a := get(t, p.opsURL+"/livez"); a.StatusCode != http.StatusOK {
		t.Errorf("alive: %d, want 200", a.StatusCode)
	}
	if a := get(t, p.opsURL+"/readyz"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready: %d, want 503", a.StatusCode)
	}
	select {
	case err := <-p.ended:
		t.Fatalf("the program ended (%v) before its request", err)
	default:
	}
	release()
	p.stop(t)
	a := <-done
	if a.err != nil {
		t.Fatalf("the request that was accepted: %v", a.err)
	}
	a.want(t, http.StatusOK, "application/json")
	var s tileStatistics
	a.json(t, &s)
	if s.Tile != "1/0/0" {
		t.Errorf("%+v", s)
	}
}

// TestShutdownHasADeadline: a request that does not end is broken off, and costs no other's span.
func TestShutdownHasADeadline(t *testing.T) {
	receiver := telemetrytest.NewCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000") // nothing leaves before the flush
	p, release, done := held(t, map[string]string{"VITRINE_SHUTDOWN_TIMEOUT": "5s", "VITRINE_SLOW_DELAY": "1ms"})
	get(t, p.url+"/slow").want(t, http.StatusOK, "application/json")
	p.cancel()
	select {
	case err := <-p.ended:
		if err == nil || !strings.Contains(err.Error(), "shutdown: public listener: context deadline exceeded") {
			t.Errorf("%v, want an error that names the step", err)
		}
		if code := exitCode(err, io.Discard); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
	case <-time.After(patience):
		t.Error("the program does not end")
	}
	if a := <-done; a.err == nil {
		t.Errorf("the request that hung got %d", a.StatusCode)
	}
	if n := receiver.Servers("GET /slow"); n != 1 {
		t.Errorf("%d spans of the request that was answered arrived, want 1", n)
	}
	release()
}

// TestShutdownOfOnesOwnUpstream: requests that were accepted get their children's answers from this
// process, also when its public listener is closed.
func TestShutdownOfOnesOwnUpstream(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_CACHE_TTL": "0s"})
	answers := make(chan outcome, 32)
	for i := range cap(answers) {
		go func() {
			a, err := try(t, http.MethodGet, p.url+"/stats/9/0/"+strconv.Itoa(i))
			answers <- outcome{a, err}
		}()
	}
	got := []outcome{<-answers} // the others are under way
	p.stop(t)
	for len(got) < cap(answers) {
		got = append(got, <-answers)
	}
	for _, a := range got {
		switch {
		case a.err == nil && a.StatusCode != http.StatusOK:
			t.Errorf("a request that was accepted got %d %s", a.StatusCode, a.body)
		case a.err != nil && !errors.Is(a.err, syscall.ECONNREFUSED) && !errors.Is(a.err, syscall.ECONNRESET):
			t.Errorf("%v", a.err)
		}
	}
}

// TestShutdownWithoutCollector: spans that nobody takes make no failure.
func TestShutdownWithoutCollector(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms"})
	get(t, p.url+"/slow").want(t, http.StatusOK, "application/json")
	p.stop(t) // without an error
	if len(p.logs.Records(t, "opentelemetry")) != 1 {
		t.Error("no warning in the log")
	}
}

// TestListenerFails: a program that cannot listen any more ends and says so.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	for desc, fail := range map[string]func(*program) net.Listener{
		"public":     func(p *program) net.Listener { return p.publicAt },
		"operations": func(p *program) net.Listener { return p.opsAt },
	} {
		t.Run(desc, func(t *testing.T) {
			p := start(t, nil)
			eventually(t, "ready", func() bool { return p.server.health.ready() })
			fail(p).Close()
			select {
			case err := <-p.ended:
				if err == nil || !strings.HasPrefix(err.Error(), "serve: ") {
					t.Errorf("%v, want an error of serving", err)
				}
			case <-time.After(patience):
				t.Error("the program goes on")
			}
		})
	}
}
