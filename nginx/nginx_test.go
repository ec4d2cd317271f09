package nginx_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"
)

// TestRetries: nginx asks another replica where that is safe, and nowhere else.
func TestRetries(t *testing.T) {
	const answered = "it answered"
	for _, test := range []struct {
		desc, method, path string
		first              http.HandlerFunc // and the second answers
		status             int
		second             bool // is asked, too
	}{
		{"no answer to a GET", "GET", "/slow", breakOff, 200, true},
		{"no answer to a HEAD", "HEAD", "/slow", breakOff, 200, true},
		{"no answer to a POST", "POST", "/slow", breakOff, 502, false},
		{"no answer to a PATCH", "PATCH", "/slow", breakOff, 502, false},
		{"half an answer", "GET", "/slow", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush() // or the connection breaks, which is meant
			breakOff(w, r)
		}, 200, false},
		{"an answer of 500", "GET", "/slow", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 500, false},
		{"an answer of 503", "GET", "/slow", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 503, false},
		{"a health of 503", "GET", "/health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 200, true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			var first, second atomic.Int64
			b := startBalancer(t, settings{},
				http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { first.Add(1); test.first(w, r) }),
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { second.Add(1); _, _ = io.WriteString(w, answered) }))
			status, _, body, err := b.ask(t, test.method, b.url+test.path, nil, "")
			if status != test.status || test.status == 200 && !test.second && err == nil {
				t.Errorf("status %d, %q, %v; want %d, and half an answer is none", status, body, err, test.status)
			}
			if first.Load() != 1 || (second.Load() == 1) != test.second {
				t.Errorf("asked the first %d times and the second %d times; want the second asked: %t", first.Load(), second.Load(), test.second)
			}
		})
	}
}

// TestPoison: a request that no replica survives is nobody else's loss.
func TestPoison(t *testing.T) {
	replica := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/poison" {
			breakOff(w, r)
		}
		_, _ = io.WriteString(w, "ok")
	}
	b := startBalancer(t, settings{}, http.HandlerFunc(replica), http.HandlerFunc(replica), http.HandlerFunc(replica))
	if status, _, _, err := b.ask(t, "GET", b.url+"/poison", nil, ""); status != http.StatusBadGateway {
		t.Fatalf("%d, %v; want 502", status, err)
	}
	for range 20 {
		if status, _, _, err := b.ask(t, "GET", b.url+"/slow", nil, ""); status != http.StatusOK {
			t.Fatalf("the next visitor got %d, %v", status, err)
		}
	}
}

// TestLateInside: replicas that are late for one another are there for visitors all the same.
func TestLateInside(t *testing.T) {
	replica := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			<-r.Context().Done()
		}
		_, _ = io.WriteString(w, "ok")
	}
	b := startBalancer(t, settings{other: map[string]string{"proxy_read_timeout 5s;": "proxy_read_timeout 100ms;"}},
		http.HandlerFunc(replica), http.HandlerFunc(replica), http.HandlerFunc(replica))
	for range 4 { // each asks all of them
		if status, _, _, err := b.ask(t, "GET", b.inner+"/late", nil, ""); status != http.StatusGatewayTimeout {
			t.Fatalf("%d, %v; want 504", status, err)
		}
	}
	for range 6 {
		if status, _, _, err := b.ask(t, "GET", b.url+"/slow", nil, ""); status != http.StatusOK {
			t.Fatalf("a visitor got %d, %v", status, err)
		}
		if status, _, _, err := b.ask(t, "GET", b.inner+"/slow", nil, ""); status != http.StatusOK {
			t.Fatalf("a replica got %d, %v", status, err)
		}
	}
}

func breakOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// TestWhatReachesAReplica: who asks is what nginx says, and nothing that they say of themselves.
func TestWhatReachesAReplica(t *testing.T) {
	seen := make(chan *http.Request, 1)
	b := startBalancer(t, settings{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"`+strings.Repeat("compressible ", 500)+`"`)
	}))
	_, header, _, err := b.ask(t, "GET", b.url+"/slow", http.Header{
		"X-Forwarded-For": {"6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"}, "X-Forwarded-Host": {"evil.test"},
		"X-Forwarded-Proto": {"https"}, "X-Request-Id": {"from-the-client"}, "Accept-Encoding": {"gzip"},
	}, "a body")
	if err != nil {
		t.Fatal(err)
	}
	r := <-seen
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "", "Forwarded": "", "X-Forwarded-Host": "", "X-Forwarded-Proto": "http",
		"X-Request-Id": "from-the-client", "Connection": "", "Content-Length": "",
	} {
		if got := strings.Join(r.Header.Values(name), "|"); got != want {
			t.Errorf("%s %q reaches a replica, want %q", name, got, want)
		}
	}
	if r.ContentLength != 0 {
		t.Errorf("a body of %d bytes reaches a replica", r.ContentLength)
	}
	if r.Host != "vitrine" {
		t.Errorf("Host %q, want the site's own name", r.Host)
	}
	if header.Get("Content-Encoding") != "" {
		t.Errorf("nginx made it %s", header.Get("Content-Encoding"))
	}
	if _, _, _, err := b.ask(t, "GET", b.url+"/slow", http.Header{"X-Request-Id": {"not an id, but \"words\""}}, ""); err != nil {
		t.Fatal(err)
	}
	if id := (<-seen).Header.Get("X-Request-Id"); len(id) != 32 {
		t.Errorf("X-Request-ID %q, want one of nginx' own", id)
	}
}

// TestWhoseTraceGoesOn: a replica's does, and a client's where it is trusted.
func TestWhoseTraceGoesOn(t *testing.T) {
	sent := http.Header{
		"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "Tracestate": {"a=1"}, "Baggage": {"user=alice"},
	}
	for _, trust := range []string{"", "false", "true"} {
		seen := make(chan *http.Request, 1)
		b := startBalancer(t, settings{trust: trust}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
		for _, test := range []struct {
			port string
			on   bool
		}{{b.url, trust == "true"}, {b.inner, true}} {
			if _, _, _, err := b.ask(t, "GET", test.port+"/slow", sent, ""); err != nil {
				t.Fatal(err)
			}
			r := <-seen
			for name, values := range sent {
				got := r.Header.Get(name)
				if test.on && got != values[0] || !test.on && got != "" {
					t.Errorf("trust %q, port for replicas %t: %s %q reaches a replica", trust, test.port == b.inner, name, got)
				}
			}
		}
	}
}

// TestLimits: what is too large, or too often, is refused by name, and the replicas' own port counts nothing.
func TestLimits(t *testing.T) {
	b := startBalancer(t, settings{other: map[string]string{"rate=200r/s": "rate=1r/s"}},
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	for _, test := range []struct {
		desc   string
		path   string
		header http.Header
		body   string
		status int
	}{
		{"a body", "/slow", nil, strings.Repeat("x", 2<<10), http.StatusRequestEntityTooLarge},
		{"a field", "/slow", http.Header{"X-Large": {strings.Repeat("x", 9<<10)}}, "", http.StatusBadRequest},
		{"a path", "/" + strings.Repeat("x", 9<<10), nil, "", http.StatusRequestURITooLong},
	} {
		if status, _, _, err := b.ask(t, "GET", b.url+test.path, test.header, test.body); status != test.status {
			t.Errorf("%s that is too large: %d, %v; want %d", test.desc, status, err, test.status)
		}
	}
	const burst = 500
	statuses, refused := asks(t, b.url, 2*burst)
	// One a second in this test, so that however slow the machine is most of the second half is refused.
	if statuses[200] < burst || statuses[429] < burst/2 || statuses[200]+statuses[429] != 2*burst || refused.Get("Retry-After") != "1" {
		t.Errorf("%v, Retry-After %q; want %d answers, and 429s that say when to come back", statuses, refused.Get("Retry-After"), burst)
	}
	if statuses, _ := asks(t, b.inner, 2*burst); statuses[200] != 2*burst {
		t.Errorf("replicas got %v", statuses)
	}
}

// asks sends n requests on one connection, and counts the answers by status. refused is the header of a 429.
func asks(t *testing.T, base string, n int) (statuses map[int]int, refused http.Header) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	statuses = map[int]int{}
	for range n {
		res, err := client.Get(base + "/slow")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses[res.StatusCode]++
		if res.StatusCode == http.StatusTooManyRequests {
			refused = res.Header
		}
	}
	return statuses, refused
}

// TestConnectionLimit: a client has so many requests at a time.
func TestConnectionLimit(t *testing.T) {
	finish := make(chan struct{})
	b := startBalancer(t, settings{other: map[string]string{"limit_conn connections 512;": "limit_conn connections 3;"}},
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-finish }))
	const clients = 5
	answers := make(chan int, clients)
	for range clients {
		go func() {
			res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(httptest.NewRequest("GET", b.url+"/slow", nil))
			if err != nil {
				t.Error(err)
				answers <- 0
				return
			}
			res.Body.Close()
			answers <- res.StatusCode
		}()
	}
	for i := range clients {
		if i == clients-3 {
			close(finish)
		}
		want := http.StatusOK
		if i < clients-3 {
			want = http.StatusTooManyRequests
		}
		if got := <-answers; got != want {
			t.Errorf("answer %d is %d, want %d", i, got, want)
		}
	}
}

// TestAccessLog: a line is JSON whatever was asked, and names the trace, the upstream and what the cache did.
func TestAccessLog(t *testing.T) {
	b := startBalancer(t, settings{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Traceresponse", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		w.Header().Set("Cache-Status", "slow; hit; ttl=59; detail=near")
		_, _ = io.WriteString(w, "ok")
	}))
	if _, _, _, err := b.ask(t, "GET", b.url+"/%22%0a%5C\xff?secret=1", http.Header{"X-Request-Id": {"client-id"}}, ""); err != nil {
		t.Fatal(err)
	}
	// nginx writes it when the answer is out.
	var line []byte
	for deadline := time.Now().Add(time.Minute); len(line) == 0; time.Sleep(10 * time.Millisecond) {
		var err error
		if line, err = os.ReadFile(b.log); err != nil || time.Now().After(deadline) {
			t.Fatalf("no line: %v", err)
		}
	}
	var got struct {
		Time, Msg, Method, Path, Client, Upstream string
		Status                                    int
		Duration                                  float64
		UpstreamStatus                            string `json:"upstream_status"`
		CacheStatus                               string `json:"cache_status"`
		TraceID                                   string `json:"trace_id"`
		RequestID                                 string `json:"request_id"`
	}
	if err := json.Unmarshal(line, &got); err != nil || !utf8.Valid(line) {
		t.Fatalf("%v, or no UTF-8: %q", err, line)
	}
	if got.Msg != "request" || got.Method != "GET" || got.Path != `/%22%0A%5C%FF` || got.Status != 200 || got.Client != "127.0.0.1" || !strings.HasPrefix(got.Upstream, "127.0.0.1:") ||
		got.UpstreamStatus != "200" || got.CacheStatus != "slow; hit; ttl=59; detail=near" || got.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || got.RequestID != "client-id" {
		t.Errorf("%s", line)
	}
	if strings.Contains(string(line), "secret") {
		t.Errorf("the query is in the log: %s", line)
	}
}

// TestBalance: nginx takes each file of balance/. With hash.conf a path has its replica, and each has its share of them.
func TestBalance(t *testing.T) {
	files, err := filepath.Glob("balance/*.conf")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := func(n string) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, n) })
			}
			b := startBalancer(t, settings{balance: string(text)}, name("a"), name("b"), name("c"))
			share, moved := map[string]int{}, 0
			for i := range 150 {
				path := fmt.Sprintf("%s/tiles/%d", b.inner, i)
				_, _, first, err := b.ask(t, "GET", path, nil, "")
				if err != nil {
					t.Fatal(err)
				}
				if _, _, second, err := b.ask(t, "GET", path, nil, ""); err != nil || second != first {
					moved++
				}
				share[first]++
			}
			if minutes := answeredBy(t, b, "/minute", 60); len(minutes) != 3 {
				t.Errorf("of the last minute %v were asked, want all", minutes)
			}
			hash := filepath.Base(file) == "hash.conf"
			if len(share) != 3 || min(share["a"], share["b"], share["c"]) < 15 || hash != (moved == 0) {
				t.Errorf("shares %v, and %d of 150 paths were answered by two", share, moved)
			}
		})
	}
}

// answeredBy is who answered so many requests, and how many.
func answeredBy(t *testing.T, b balancer, path string, n int) map[string]int {
	t.Helper()
	by := map[string]int{}
	for range n {
		_, _, who, err := b.ask(t, "GET", b.url+path, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		by[who]++
	}
	return by
}
