package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"vitrine/e2e/component"
)

// told is what one signal says of an answer.
type told struct{ cache, outcome, tier, detail, age string }

// byHeader is what Cache-Status (RFC 9211) and Age say.
func byHeader(h http.Header) (w told) {
	status := h.Get("Cache-Status")
	if status == "" {
		return told{}
	}
	w.cache, _, _ = strings.Cut(status, ";")
	w.outcome, w.tier, _ = strings.Cut(spelled(status), " ")
	if w.outcome == "bypass" {
		_, w.detail, _ = strings.Cut(status, "detail=")
	}
	w.age = h.Get("Age")
	return w
}

func byLine(line map[string]any) (w told) {
	text := func(name string) string {
		if line[name] == nil {
			return ""
		}
		return fmt.Sprint(line[name])
	}
	w = told{text("cache"), text("outcome"), text("tier"), text("detail"), ""}
	if age, ok := line["age"].(float64); ok {
		w.age = fmt.Sprint(int(age))
	}
	return w
}

func bySpan(span sdktrace.ReadOnlySpan) (w told) {
	for _, a := range span.Attributes() {
		switch a.Key {
		case "cache.name":
			w.cache = a.Value.AsString()
		case "cache.outcome":
			w.outcome = a.Value.AsString()
		case "cache.tier":
			w.tier = a.Value.AsString()
		case "cache.detail":
			w.detail = a.Value.AsString()
		case "cache.age":
			w.age = fmt.Sprint(int(a.Value.AsFloat64()))
		}
	}
	return w
}

// byMetric counts the answers of all caches by outcome and tier.
func byMetric(t *testing.T, p *program) map[told]int {
	t.Helper()
	n := map[told]int{}
	for _, m := range p.family(t, "cache_requests_total").GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if v := int(m.GetCounter().GetValue()); v > 0 {
			n[told{cache: labels["cache"], outcome: labels["outcome"], tier: labels["tier"]}] = v
		}
	}
	return n
}

// anyRequest is a request that some client may send, to an endpoint that may know an answer.
func anyRequest(rng *rand.Rand, url string) *http.Request {
	pick := func(all ...string) string { return all[rng.IntN(len(all))] }
	z := rng.IntN(3)
	tile := fmt.Sprintf("%d/%d/%d", z, rng.IntN(1<<z), rng.IntN(1<<z))
	path := pick("/slow", "/slow", "/slow?x=1", "/tiles/"+tile, "/tiles/"+tile, "/stats/"+tile, "/tiles/9/0", "/tiles/99/0/0", "/health", "/nowhere")
	method := pick("GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "BREW")
	req, err := http.NewRequest(method, url+path, nil)
	if err != nil {
		panic(err) // there is no such path
	}
	switch rng.IntN(12) {
	case 0:
		req.Header.Set("Cache-Control", "no-store")
	case 1:
		req.Header.Set("Authorization", "Bearer of tidings")
	case 2:
		req.Host = pick("a.example", "B.example")
	case 3:
		req.Header.Set("Range", "bytes=0-1")
	}
	return req
}

// TestSignalsAgree fires random requests at two replicas with one Redis, and compares of each answer what
// Cache-Status, the span, the access line and the metric say. Some clients do not wait for theirs.
func TestSignalsAgree(t *testing.T) {
	const requests, clients = 1500, 16
	redis := component.Redis(t)
	env := map[string]string{
		"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": redis.URL(), "VITRINE_SLOW_DELAY": "3ms",
		"VITRINE_CACHE_TTL": "150ms", "VITRINE_LOG_HITS": "all",
	}
	replicas := []*program{start(t, env), start(t, env)}
	spans := []*tracetest.SpanRecorder{tracetest.NewSpanRecorder(), tracetest.NewSpanRecorder()}
	for i, p := range replicas {
		p.telemetry.TracerProvider.(*sdktrace.TracerProvider).RegisterSpanProcessor(spans[i])
	}

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	var mu sync.Mutex
	seen := map[string]told{} // by span id
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(client)))
			for i := range requests / clients {
				req := anyRequest(rng, replicas[rng.IntN(2)].url)
				// A load of /stats that nobody waits for would go on asking when all else is done, and so might
				// what is left last.
				leaves := rng.IntN(20) == 0 && i < requests/clients*4/5 && !strings.HasPrefix(req.URL.Path, "/stats")
				if leaves {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(3000))*time.Microsecond)
					defer cancel()
					req = req.WithContext(ctx)
				}
				res, err := transport.RoundTrip(req)
				if err != nil {
					continue // it did not wait
				}
				res.Body.Close()
				if n := len(res.Header["Cache-Status"]); n > 1 {
					t.Errorf("%d Cache-Status lines: %v", n, res.Header["Cache-Status"])
				}
				mu.Lock()
				seen[strings.Split(res.Header.Get("Traceresponse"), "-")[2]] = byHeader(res.Header)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	// Refreshes run behind answers, and those of /stats ask others: it is over when no span is open, and nothing has been
	// asked for two seconds.
	metrics := make([]map[told]int, len(replicas))
	var since time.Time
	eventually(t, "the end of what nobody waited for", func() bool {
		for i, p := range replicas {
			now := byMetric(t, p)
			running := len(spans[i].Started()) > len(spans[i].Ended())
			if running || p.value(t, "http_server_active_requests") > 0 || !maps.Equal(metrics[i], now) {
				since = time.Now()
			}
			metrics[i] = now
		}
		return time.Since(since) > 2*time.Second
	})
	for _, p := range replicas {
		p.stop(t)
	}

	outcomes, compared := map[string]int{}, 0
	for i, p := range replicas {
		lines := map[string]told{}
		counted := map[told]int{}
		for _, line := range p.logs.Records(t, "request") {
			said := byLine(line)
			id := fmt.Sprint(line["span_id"])
			if _, twice := lines[id]; twice {
				t.Errorf("two access lines of span %s", id)
			}
			lines[id] = said
			if said.outcome != "" {
				counted[told{cache: said.cache, outcome: said.outcome, tier: said.tier}]++
				outcomes[said.outcome+" "+said.tier]++
			}
		}
		if !maps.Equal(metrics[i], counted) {
			t.Errorf("cache_requests_total has %v, the access lines %v", metrics[i], counted)
		}
		servers := 0
		for _, span := range spans[i].Ended() {
			if span.SpanKind().String() != "server" {
				continue
			}
			servers++
			id := span.SpanContext().SpanID().String()
			line, logged := lines[id]
			if said := bySpan(span); !logged || said != line {
				t.Errorf("span %s (%s) says %+v, its access line %+v", id, span.Name(), said, line)
			}
			if header, ok := seen[id]; ok {
				compared++
				delete(seen, id)
				// What /stats has from Fetch has no Age.
				if line.cache == "stats" {
					header.age = line.age
				}
				if header.outcome == "stale" {
					header.tier = line.tier
				}
				if header != line {
					t.Errorf("%s: the header says %+v, the access line %+v", span.Name(), header, line)
				}
			}
		}
		if servers != len(lines) {
			t.Errorf("%d server spans and %d access lines", servers, len(lines))
		}
	}
	if len(seen) > 0 {
		t.Errorf("%d answers have no server span", len(seen))
	}
	t.Logf("%d answers compared in four signals: %v", compared, outcomes)
	for _, some := range []string{"hit near", "hit far", "miss none", "coalesced none", "bypass none"} {
		if outcomes[some] == 0 {
			t.Errorf("no %s among %v: nothing was shown of it", some, outcomes)
		}
	}
}
