//go:build !race

// With the race detector nothing costs what it does.

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vitrine/cache"
	"vitrine/telemetry"
)

// What a server holds that is measured: entries of 1 KiB, some 90 MB.
const (
	verticalVariable = "BENCH_VERTICAL"
	verticalEntries  = 50_000
	verticalBody     = 1 << 10
)

// used is what a server's process has used so far.
type used struct {
	CPU    time.Duration `json:"cpu"`
	GC     time.Duration `json:"gc"` // of CPU: the collector's, without what it did on idle processors
	Cycles uint64        `json:"cycles"`
	Heap   uint64        `json:"heap"` // what the process has of the system for objects, in use or not yet given back
	Wall   time.Duration `json:"wall"` // of the last run
}

// TestVerticalServer is no test but the process that BenchmarkCPUCores and BenchmarkCPUCollector measure: near hits of many
// entries, fully instrumented. For each line of its standard input it says what it has used, after so many hits of its
// own as the line says.
func TestVerticalServer(t *testing.T) {
	if os.Getenv(verticalVariable) == "" {
		t.Skip("it serves benchmarks")
	}
	instruments, err := telemetry.Setup(context.Background(), telemetry.Options{Service: "bench", Logs: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := cache.New(nil, cache.Options{
		Name: "pages", TTL: time.Hour, Near: 1 << 30, Registerer: instruments.Registry, TracerProvider: instruments.TracerProvider,
		Tuning: cache.Tuning{NoWhatIf: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, verticalBody)
	mux := http.NewServeMux()
	mux.Handle("GET /pages/{n}", pages.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })))
	h := instruments.Server(mux, cache.Annotate)
	hits(t, h, 0, verticalEntries)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = http.Serve(l, h) }() // ends with the process
	fmt.Println(verticalVariable, l.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var all sync.WaitGroup
		for i := range runtime.GOMAXPROCS(0) {
			all.Go(func() { hits(t, h, i*7919, n/runtime.GOMAXPROCS(0)) })
		}
		all.Wait()
		b, err := json.Marshal(usedSince(t, start))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(string(b))
	}
}

// hits asks for so many entries in turn, without a network.
func hits(t *testing.T, h http.Handler, from, n int) {
	w := &reused{h: http.Header{}}
	for i := range n {
		r, err := http.NewRequest(http.MethodGet, pageAt(from+i), nil)
		if err != nil {
			t.Error(err)
			return
		}
		r.Host, r.RemoteAddr = "bench", "127.0.0.1:1"
		clear(w.h)
		if h.ServeHTTP(w, r); w.status != http.StatusOK {
			t.Errorf("status %d", w.status)
			return
		}
	}
}

func pageAt(i int) string { return "/pages/" + strconv.Itoa(i%verticalEntries) }

func usedSince(t *testing.T, start time.Time) used {
	u := used{Wall: time.Since(start)}
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	u.CPU = time.Duration(use.Utime.Nano() + use.Stime.Nano())
	samples := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"}, {Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	u.GC = time.Duration((samples[0].Value.Float64() - samples[1].Value.Float64()) * float64(time.Second))
	u.Cycles = samples[2].Value.Uint64()
	for _, s := range samples[3:] {
		u.Heap += s.Value.Uint64()
	}
	return u
}

// verticalServer is one that runs.
type verticalServer struct {
	name string
	addr string
	in   io.Writer
	out  *bufio.Scanner
}

func startVertical(b *testing.B, name string, env ...string) verticalServer {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestVerticalServer$", "-test.timeout=0")
	cmd.Env = append(append(os.Environ(), verticalVariable+"=1", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01"), env...)
	in, out := startPiped(b, cmd)
	s := verticalServer{name: name, in: in, out: out}
	b.Cleanup(func() {
		in.Close()
		for s.out.Scan() { // what the testing package says of itself
		}
		if err := cmd.Wait(); err != nil {
			b.Errorf("%s: %v", name, err)
		}
	})
	for s.out.Scan() {
		if addr, ok := strings.CutPrefix(s.out.Text(), verticalVariable+" "); ok {
			s.addr = addr
			return s
		}
	}
	b.Fatalf("%s does not serve", name)
	return s
}

// run has the server make so many hits of its own and say what it has used.
func (s verticalServer) run(b *testing.B, n int) (u used) {
	b.Helper()
	fmt.Fprintln(s.in, n)
	if !s.out.Scan() {
		b.Fatalf("%s has ended", s.name)
	}
	if err := json.Unmarshal(s.out.Bytes(), &u); err != nil {
		b.Fatal(err)
	}
	return u
}

// ask sends n requests over 32 connections.
func (s verticalServer) ask(b *testing.B, n int) {
	const connections = 32
	var all sync.WaitGroup
	for c := range connections {
		all.Go(func() {
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			for i := range n / connections {
				if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", pageAt(c*7919+i)); err != nil {
					b.Error(err)
					return
				}
				res, err := http.ReadResponse(r, nil)
				if err != nil || res.StatusCode != http.StatusOK || res.Header["Age"] == nil {
					b.Error(res, err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
			}
		})
	}
	all.Wait()
}

func medianOf(values []float64) float64 {
	values = slices.Clone(values)
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkCPUCores compares one processor with two: what a hit costs, over HTTP and without a network, and how many
// hits a second there are. An operation is a round of both.
func BenchmarkCPUCores(b *testing.B) {
	const asked, own = 32 * 500, 200_000
	if runtime.NumCPU() < 2 {
		b.Skip("there is one processor")
	}
	var servers []verticalServer
	for _, n := range []string{"1", "2"} {
		servers = append(servers, startVertical(b, n, "GOMAXPROCS="+n))
	}
	var http, bare, speed [2][]float64
	for b.Loop() {
		for i, s := range servers {
			before := s.run(b, 0)
			s.ask(b, asked)
			between := s.run(b, 0)
			after := s.run(b, own)
			http[i] = append(http[i], float64((between.CPU-before.CPU).Nanoseconds())/1e3/asked)
			bare[i] = append(bare[i], float64((after.CPU-between.CPU).Nanoseconds())/1e3/own)
			speed[i] = append(speed[i], own/after.Wall.Seconds())
		}
	}
	var table strings.Builder
	for i, s := range servers {
		fmt.Fprintf(&table, "\nGOMAXPROCS=%s  %6.1f µs a hit over HTTP  %6.2f µs without a network  %8.0f hits/s without", s.name,
			medianOf(http[i]), medianOf(bare[i]), medianOf(speed[i]))
	}
	ratio := func(of [2][]float64) float64 {
		var ratios []float64
		for round := range of[0] {
			ratios = append(ratios, of[1][round]/of[0][round])
		}
		return medianOf(ratios)
	}
	fmt.Fprintf(&table, "\n2 against 1:  × %.2f µs over HTTP  × %.2f µs without  × %.2f hits/s", ratio(http), ratio(bare), ratio(speed))
	b.Logf("medians of %d rounds:%s", len(http[0]), table.String())
}

// BenchmarkCPUCollector compares settings of the garbage collector: what a hit costs over HTTP, the collector's share of
// that, and the heap. An operation is a round of all.
func BenchmarkCPUCollector(b *testing.B) {
	const asked = 32 * 1000
	var servers []verticalServer
	for _, env := range [][]string{
		{"GOGC=50"}, {"GOGC=100"}, {"GOGC=200"}, {"GOGC=off", "GOMEMLIMIT=192MiB"}, {"GOGC=100", "GOMEMLIMIT=112MiB"},
	} {
		servers = append(servers, startVertical(b, strings.Join(env, " "), append(env, "GOMAXPROCS=2")...))
		servers[len(servers)-1].ask(b, asked)
	}
	type result struct{ cost, share, cycles, heap []float64 }
	results := make([]result, len(servers))
	for b.Loop() {
		for i, s := range servers {
			before := s.run(b, 0)
			s.ask(b, asked)
			after := s.run(b, 0)
			r, cpu := &results[i], (after.CPU - before.CPU)
			r.cost = append(r.cost, float64(cpu.Nanoseconds())/1e3/asked)
			r.share = append(r.share, float64(after.GC-before.GC)/float64(cpu))
			r.cycles = append(r.cycles, float64(after.Cycles-before.Cycles)*1e6/asked)
			r.heap = append(r.heap, float64(after.Heap)/(1<<20))
		}
	}
	var table strings.Builder
	for i, s := range servers {
		r := results[i]
		// Rounds have a cycle or none: a mean is what there is to say of them, and no median.
		fmt.Fprintf(&table, "\n%-28s %6.1f µs a hit  %5.2f %% of it the collector's  %5.0f cycles a million hits  heap %4.0f MiB", s.name,
			medianOf(r.cost), 100*meanOf(r.share), meanOf(r.cycles), medianOf(r.heap))
	}
	b.Logf("%d entries of %d bytes, medians of %d rounds:%s", verticalEntries, verticalBody, len(results[0].cost), table.String())
}

func meanOf(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
