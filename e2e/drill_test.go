//go:build drill

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vitrine/e2e/component"
	"vitrine/telemetry/telemetrytest"
)

// perSecond is how many requests come, whether answers do or not.
const perSecond = 500

// TestJaegerOutage takes the real Jaeger away for VITRINE_DRILL_OUTAGE (2m) under a steady load: no request
// fails, spans are dropped and counted, and once it is back they arrive again without anybody's doing. How
// long requests took is reported, and not judged.
func TestJaegerOutage(t *testing.T) {
	outage := 2 * time.Minute
	if v := os.Getenv("VITRINE_DRILL_OUTAGE"); v != "" {
		var err error
		if outage, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(t.TempDir(), "vitrine")
	if out, err := exec.Command(component.Command(t, "go"), "build", "-buildvcs=false", "-o", binary, "../service").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, test := range []struct {
		desc       string
		away, back func(*component.JaegerServer)
	}{
		{"hangs", (*component.JaegerServer).Freeze, (*component.JaegerServer).Thaw},
		{"is gone", (*component.JaegerServer).Kill, (*component.JaegerServer).Start},
	} {
		t.Run(test.desc, func(t *testing.T) {
			jaeger := component.Jaeger(t)
			d := startDrill(t, binary, jaeger.OTLP)
			stop := d.load(t)
			defer stop()

			d.phase(t, "before", max(outage/6, 5*time.Second))
			before := d.account(t)
			if before.exported == 0 || before.dropped() != 0 {
				t.Errorf("%+v before the outage; want spans exported and none dropped", before)
			}

			test.away(jaeger)
			d.phase(t, "during", outage)
			during := d.account(t)
			if during.dropped() == 0 {
				t.Errorf("%+v; want spans that were dropped", during)
			}

			test.back(jaeger)
			back := time.Now()
			// A retry may be waiting for its turn, at most until OTEL_BSP_EXPORT_TIMEOUT.
			for d.account(t).exported <= during.exported {
				if time.Since(back) > 2*time.Minute {
					t.Fatalf("no span exported since Jaeger is back: %+v", d.account(t))
				}
				time.Sleep(100 * time.Millisecond)
			}
			recovered := time.Since(back)
			d.phase(t, "after", max(outage/6, 5*time.Second))
			after := d.account(t)
			d.found(t, jaeger.API)
			stop()

			t.Logf("dropped %v of %v spans: %v refused by the full queue, %v failed in exports",
				after.dropped(), after.dropped()+after.exported+after.pending, after.refused, after.failed)
			t.Logf("spans were exported again %s after Jaeger was back", recovered.Round(100*time.Millisecond))
			if n := d.failed.Load(); n != 0 {
				t.Errorf("%d requests failed: %v", n, d.failure.Load())
			}
		})
	}
}

// drill is a service under load.
type drill struct {
	url, ops        string
	client          http.Client
	failed          atomic.Int64
	failure         atomic.Value // of one of them
	mu              sync.Mutex
	took            []time.Duration // since the phase began
	queue, capacity float64         // the longest queue
}

func startDrill(t *testing.T, binary, otlp string) *drill {
	t.Helper()
	logs := new(telemetrytest.Log)
	cmd := exec.Command(binary)
	cmd.Env = []string{
		"VITRINE_ADDR=127.0.0.1:0", "VITRINE_OPS_ADDR=127.0.0.1:0", "VITRINE_SLOW_DELAY=5ms", "VITRINE_CACHE_TTL=1s",
		"VITRINE_LOG_FORMAT=json", "VITRINE_SHUTDOWN_TIMEOUT=5s", "OTEL_EXPORTER_OTLP_ENDPOINT=" + otlp,
	}
	cmd.Stderr = logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the service ended with %v", err)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		for line := range strings.Lines(logs.String()) {
			var serving struct {
				Msg     string
				Addr    string
				OpsAddr string `json:"ops_addr"`
			}
			if json.Unmarshal([]byte(line), &serving) == nil && serving.Msg == "serving" {
				return &drill{
					url: "http://" + serving.Addr, ops: "http://" + serving.OpsAddr,
					client: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
				}
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the service does not serve:\n%s", logs)
		}
	}
}

// load asks perSecond times a second, whatever becomes of the answers, until stop.
func (d *drill) load(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() {
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				asking.Go(func() {
					start := time.Now()
					if _, err := d.ask(); err != nil {
						d.failed.Add(1)
						d.failure.Store(err.Error())
					}
					d.mu.Lock()
					defer d.mu.Unlock()
					d.took = append(d.took, time.Since(start))
				})
			}
		}
	})
	return func() { cancel(); asking.Wait() }
}

// ask is one request, and the trace that its answer names.
func (d *drill) ask() (trace string, err error) {
	res, err := d.client.Get(d.url + "/slow")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	parts := strings.Split(res.Header.Get("Traceresponse"), "-")
	if res.StatusCode != http.StatusOK || len(parts) != 4 {
		return "", fmt.Errorf("%s, Traceresponse %q", res.Status, res.Header.Get("Traceresponse"))
	}
	return parts[1], nil
}

// phase lets the load go on for a while, and reports it.
func (d *drill) phase(t *testing.T, name string, lasts time.Duration) {
	t.Helper()
	d.mu.Lock()
	d.took, d.queue = nil, 0
	d.mu.Unlock()
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		if a := d.account(t); a.pending > a.capacity {
			t.Errorf("%v spans pending, want at most %v", a.pending, a.capacity)
		} else {
			d.queue, d.capacity = max(d.queue, a.pending), a.capacity
		}
	}
	d.mu.Lock()
	took := slices.Sorted(slices.Values(d.took))
	d.mu.Unlock()
	if len(took) == 0 {
		t.Fatalf("%s: no answers", name)
	}
	at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))].Round(10 * time.Microsecond) }
	t.Logf("%-6s %6d requests, median %8s, p99 %8s, max %8s; at most %v of %v spans pending",
		name, len(took), at(.5), at(.99), at(1), d.queue, d.capacity)
}

// found asks until Jaeger has the trace of a request made now.
func (d *drill) found(t *testing.T, api string) {
	t.Helper()
	trace, err := d.ask()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		res, err := d.client.Get(api + "/api/traces/" + trace)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("Jaeger has no trace %s: %v", trace, err)
		}
	}
}

// drillAccount is where the service says its spans are.
type drillAccount struct{ pending, capacity, refused, exported, failed float64 }

func (a drillAccount) dropped() float64 { return a.refused + a.failed }

var otelSample = regexp.MustCompile(`(?m)^otel_sdk_(\w+?)(?:\{error_type="(\w*)"\})? (\S+)$`)

func (d *drill) account(t *testing.T) (a drillAccount) {
	t.Helper()
	res, err := d.client.Get(d.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range otelSample.FindAllStringSubmatch(string(body), -1) {
		n, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		switch name, kind := m[1], m[2]; {
		case name == "processor_span_queue_size":
			a.pending = n
		case name == "processor_span_queue_capacity":
			a.capacity = n
		case name == "processor_span_processed_total" && kind != "":
			a.refused += n
		case name == "exporter_span_exported_total" && kind == "":
			a.exported = n
		case name == "exporter_span_exported_total":
			a.failed += n
		}
	}
	return a
}
