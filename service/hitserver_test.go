package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"vitrine/cache"
	"vitrine/telemetry"
)

// hitServerVariable has the test binary be a server of near hits, which benchmarks measure as a process of its own.
const hitServerVariable = "BENCH_HIT"

// serveHits serves near hits of /slow, one in a hundred of which is sampled, until its standard input ends. For each line
// there it writes the CPU time that the process has taken.
func serveHits() error {
	t, err := telemetry.Setup(context.Background(), telemetry.Options{Service: "bench", Logs: io.Discard})
	if err != nil {
		return err
	}
	slow, err := cache.New(nil, cache.Options{
		Name: "slow", TTL: time.Hour, Registerer: t.Registry, TracerProvider: t.TracerProvider, Logger: t.Logger,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /slow", slow.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"ok","computed_at":"2026-01-01T00:00:00.000000000Z","took":"2.000000000s","instance":"replica"}`)
	})))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: t.Server(mux, cache.Annotate), Protocols: new(http.Protocols)}
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

// hitServer is one that runs.
type hitServer struct {
	pid  int
	addr string
	in   io.Writer
	out  *bufio.Scanner
}

func startHitServer(b *testing.B) hitServer {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hitServerVariable+"=1", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1") // where nobody takes its spans
	in, out := startPiped(b, cmd)
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	s := hitServer{pid: cmd.Process.Pid, in: in, out: out}
	s.out.Scan()
	s.addr = s.out.Text()
	return s
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
func (s hitServer) cpu(b *testing.B) time.Duration {
	fmt.Fprintln(s.in)
	s.out.Scan()
	ns, err := strconv.ParseInt(s.out.Text(), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(ns)
}

// ask sends n requests over each of 64 connections of client.
func (s hitServer) ask(b *testing.B, client *http.Client, n int) {
	var all sync.WaitGroup
	for range hitConnections {
		all.Go(func() {
			for range n {
				res, err := client.Get("http://" + s.addr + "/slow")
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	all.Wait()
}

const hitConnections = 64
