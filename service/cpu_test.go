package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"vitrine/cache"
	"vitrine/telemetry"
)

type variant struct {
	name     string
	sampler  string // OTEL_TRACES_SAMPLER and its argument
	ratio    string
	exported bool    // the spans
	most     float64 // times bare net/http that it may cost; 0: it is shown only
	handler  func(*telemetry.Telemetry) (http.Handler, error)
}

// variants are servers of the same answer, bare and instrumented.
var variants = []variant{
	{"net/http, bare", "always_off", "", false, 0, func(*telemetry.Telemetry) (http.Handler, error) { return bare(), nil }},
	{"otelhttp, 1 % sampled and exported", "traceidratio", "0.01", true, 0, justOtelhttp},
	{"otelhttp, all sampled, none exported", "always_on", "", false, 0, justOtelhttp},
	{"otelhttp, all sampled and exported", "always_on", "", true, 0, justOtelhttp},
	{"otelhttp, 1 %, a log line each", "traceidratio", "0.01", true, 0, otelhttpAndLog},
	{"near hit behind otelhttp, 1 %", "traceidratio", "0.01", true, 0, nearHit(false)},
	{"near hit behind otelhttp, all exported", "always_on", "", true, 0, nearHit(false)},
	{"near hit, 1 % sampled and exported", "traceidratio", "0.01", true, 1.25, nearHit(true)},
	{"near hit, all sampled, none exported", "always_on", "", false, 1.6, nearHit(true)},
	{"near hit, all sampled and exported", "always_on", "", true, 0, nearHit(true)},
}

// bare answers as a near hit of /slow does, header fields included.
func bare() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Age", "1")
		w.Header().Set("Cache-Status", "slow; hit; ttl=59; detail=near")
		origin(w, nil)
	})
	return mux
}

func origin(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok","computed_at":"2026-01-01T00:00:00.000000000Z","took":"2.000000000s","instance":"replica"}`)
}

func justOtelhttp(t *telemetry.Telemetry) (http.Handler, error) {
	return otelhttp.NewHandler(bare(), "",
		otelhttp.WithTracerProvider(t.TracerProvider),
		otelhttp.WithPropagators(t.Propagator),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
	), nil
}

func otelhttpAndLog(t *telemetry.Telemetry) (http.Handler, error) {
	next := bare()
	return otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		t.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path))
	}), "",
		otelhttp.WithTracerProvider(t.TracerProvider),
		otelhttp.WithPropagators(t.Propagator),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
	), nil
}

// nearHit is the program's own way, or with atHand false the one that every other answer takes.
func nearHit(atHand bool) func(*telemetry.Telemetry) (http.Handler, error) {
	return func(t *telemetry.Telemetry) (http.Handler, error) {
		slow, err := cache.New(nil, cache.Options{
			Name: "slow", TTL: time.Hour, Registerer: t.Registry, TracerProvider: t.TracerProvider, Logger: t.Logger,
		})
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		var h http.Handler = slow.Handler(http.HandlerFunc(origin))
		if !atHand {
			h = http.HandlerFunc(h.ServeHTTP) // hides what is at hand
		}
		mux.Handle("GET /slow", h)
		return t.Server(mux, annotate), nil
	}
}

// serveVariant serves one until its standard input ends. For each line there it writes the CPU time that
// the process has taken.
func serveVariant(name string) error {
	i := slices.IndexFunc(variants, func(v variant) bool { return v.name == name })
	t, err := telemetry.Setup(context.Background(), telemetry.Options{Service: "bench", Logs: io.Discard})
	if err != nil {
		return err
	}
	h, err := variants[i].handler(t)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = srv.Serve(l) }() // ends with the process
	fmt.Println(l.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var use syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
			return err
		}
		fmt.Println(use.Utime.Nano() + use.Stime.Nano())
	}
	return nil
}

// serverProcess is a variant that runs.
type serverProcess struct {
	pid  int
	addr string
	in   io.Writer
	out  *bufio.Scanner
}

func startVariant(b *testing.B, i int, collector string) serverProcess {
	b.Helper()
	v := variants[i]
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH_VARIANT="+v.name, "OTEL_TRACES_SAMPLER="+v.sampler,
		"OTEL_TRACES_SAMPLER_ARG="+v.ratio)
	if v.exported {
		cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector)
	}
	in, out := startPiped(b, cmd)
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	p := serverProcess{pid: cmd.Process.Pid, in: in, out: out}
	p.out.Scan()
	p.addr = p.out.Text()
	return p
}

// startPiped starts a server that is asked by its standard input, and answers by its standard output.
func startPiped(b *testing.B, cmd *exec.Cmd) (io.WriteCloser, *bufio.Scanner) {
	b.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return in, bufio.NewScanner(out)
}

// cpu is the time that the process has taken.
func (p serverProcess) cpu(b *testing.B) time.Duration {
	fmt.Fprintln(p.in)
	p.out.Scan()
	ns, err := strconv.ParseInt(p.out.Text(), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(ns)
}

// load sends n requests over 64 connections.
func (p serverProcess) load(b *testing.B, n int) {
	const connections = 64
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			conn, err := net.Dial("tcp", p.addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			for i := range n / connections {
				last := i == n/connections-1 // is a hit
				if _, err := io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n"); err != nil {
					b.Error(err)
					return
				}
				res, err := http.ReadResponse(r, nil)
				if err != nil || res.StatusCode != http.StatusOK || last && res.Header["Age"] == nil {
					b.Error(res, err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
			}
		})
	}
	all.Wait()
}

// BenchmarkCPU compares what a request costs the server's process, in rounds that take turns. An operation
// is a round of all variants.
func BenchmarkCPU(b *testing.B) {
	const requests = 64 * 400
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer sink.Close()
	var servers []serverProcess
	for i := range variants {
		servers = append(servers, startVariant(b, i, sink.URL))
		servers[i].load(b, requests/4)
	}
	costs := make([][]float64, len(variants)) // µs a request
	for b.Loop() {
		for i, s := range servers {
			before := s.cpu(b)
			s.load(b, requests)
			costs[i] = append(costs[i], float64((s.cpu(b)-before).Nanoseconds())/1e3/requests)
		}
	}
	var table strings.Builder
	for i, v := range variants {
		ratios := make([]float64, len(costs[i]))
		for round := range ratios {
			ratios[round] = costs[i][round] / costs[0][round]
		}
		slices.Sort(ratios)
		slices.Sort(costs[i])
		if median := ratios[len(ratios)/2]; v.most > 0 && median > v.most {
			b.Errorf("%s costs %.2f × bare net/http, want at most %.2f", v.name, median, v.most)
		}
		fmt.Fprintf(&table, "\n%-42s %6.1f µs  %5.2f × bare (%.2f to %.2f)", v.name,
			costs[i][len(ratios)/2], ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	}
	b.Logf("CPU of the server a request, medians of %d rounds:%s", len(costs[0]), table.String())
}
