package component

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// JaegerServer is a real Jaeger v2 that keeps traces in memory, on loopback ports of its own.
type JaegerServer struct {
	// OTLP is the URL that spans are sent to over HTTP, and API that of its query API.
	OTLP, API string

	t      testing.TB
	path   string
	config string
	health string
	cmd    *exec.Cmd
	ended  chan struct{}
}

// Jaeger starts a server that lives as long as the test.
func Jaeger(t testing.TB) *JaegerServer {
	t.Helper()
	s := &JaegerServer{t: t, path: Command(t, "jaeger"), config: filepath.Join(t.TempDir(), "jaeger.yaml")}
	addrs := freeAddrs(t, 4)
	s.OTLP, s.API, s.health = fmt.Sprint("http://", addrs[0]), fmt.Sprint("http://", addrs[1]), fmt.Sprintf("http://%s/status", addrs[3])
	if err := os.WriteFile(s.config, fmt.Appendf(nil, jaegerConfig, addrs...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// freeAddrs are loopback addresses that nobody listens on, and no two are the same.
func freeAddrs(t testing.TB, n int) (addrs []any) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// jaegerConfig is the part of jaeger/config.yaml that takes spans and finds them again.
const jaegerConfig = `
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
  telemetry:
    metrics: {level: none}
    traces: {level: none}
    logs: {level: warn}
receivers:
  otlp: {protocols: {http: {endpoint: %q}}}
extensions:
  jaeger_storage: {backends: {main: {memory: {max_traces: 100000}}}}
  jaeger_query: {storage: {traces: main}, http: {endpoint: %q}, grpc: {endpoint: %q}}
  healthcheckv2: {use_v2: true, http: {endpoint: %q}}
exporters:
  jaeger_storage_exporter: {trace_storage: main}
`

// Start starts the server again after a Kill, and waits until it is ready.
func (s *JaegerServer) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.path, "--config", s.config)
	s.cmd.Stderr = s.t.Output()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, ended := s.cmd, make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // "signal: killed"
	s.ended = ended
	client := http.Client{Timeout: time.Second}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		select {
		case <-ended:
			s.t.Fatal("jaeger ended before it was ready")
		default:
		}
		res, err := client.Get(s.health)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("jaeger is not ready: %v", err)
		}
	}
}

// Kill ends the server at once, and with it the traces that it kept.
func (s *JaegerServer) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.ended
	s.cmd = nil
}

// Freeze stops the server without closing its connections, until Thaw.
func (s *JaegerServer) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *JaegerServer) Thaw() { s.signal(syscall.SIGCONT) }

func (s *JaegerServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}
