package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vitrine/telemetry/telemetrytest"
)

func dial(t *testing.T, p *program) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.publicAt.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestLargeHeader(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	conn := dial(t, p)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// The server does not read all of it: writing fails once it has closed.
		_, _ = fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: x\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 1<<20))
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v, %v; want 431", res, err)
	}
	<-sent
	if status, _ := p.health(t); status != "ok" {
		t.Errorf("then the program is %q", status)
	}
}

// TestSlowClient: who sends a header byte by byte is cut off, and nobody else is kept waiting.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	conn := dial(t, p)
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
			}
		}
	}()
	if status, _ := p.health(t); status != "ok" {
		t.Errorf("meanwhile the program is %q", status)
	}
	text, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(text), " 200 ") {
		t.Errorf("%q, %v; want the connection closed without an answer", text, err)
	}
}

// TestSlowBody: a body that does not come holds no connection either.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	conn := dial(t, start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms"}))
	if _, err := io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}

// TestLoadTimeout: computing an answer may take so long and no longer, and whatever that is, the answer is written.
func TestLoadTimeout(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1h", "VITRINE_CACHE_LOAD_TIMEOUT": "50ms"})
	if a := get(t, p.url+"/slow"); a.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("%s: %s; want 504", a.Status, a.body)
	}
	patient := start(t, map[string]string{"VITRINE_CACHE_LOAD_TIMEOUT": "2m"})
	if most := patient.public.WriteTimeout; most <= 2*time.Minute {
		t.Errorf("an answer may take %s, and computing it 2m", most)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	for _, name := range []string{"VITRINE_ADDR", "VITRINE_OPS_ADDR"} {
		var stderr telemetrytest.Log
		code := exitCode(run(t.Context(), nil, environ(map[string]string{name: addr}), io.Discard, io.Discard), &stderr)
		want := fmt.Sprintf("vitrine: %s=%q: ", name, addr)
		if code != 1 || !strings.HasPrefix(stderr.String(), want) || !strings.Contains(stderr.String(), "address already in use") {
			t.Errorf("exit code %d, and %swant 1, and %s…address already in use", code, stderr.String(), want)
		}
	}
}

// TestFailedStartFreesPorts: what was opened before the failure is closed again.
func TestFailedStartFreesPorts(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	t.Setenv("OTEL_TRACES_EXPORTER", "zipkin")
	var stderr telemetrytest.Log
	code := exitCode(run(t.Context(), nil, environ(map[string]string{"VITRINE_ADDR": addr}), io.Discard, io.Discard), &stderr)
	if code != 2 || !strings.Contains(stderr.String(), `OTEL_TRACES_EXPORTER="zipkin"`) {
		t.Errorf("exit code %d, and %swant 2, and the variable", code, stderr.String())
	}
	again, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the port is still held: %v", err)
	}
	again.Close()
}
