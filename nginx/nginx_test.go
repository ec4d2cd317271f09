package nginx_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/e2e/component"
)

// balancer is an nginx with nginx.conf in front of upstreams of the test's own. Only where it listens, whom it asks and
// where it keeps files is changed.
type balancer struct {
	url   string
	inner string // the port for replicas
	log   string // of access, a file
}

// startBalancer balances as a file of balance/ says; in turn without one, so that a test knows who is next.
func startBalancer(t testing.TB, balance string, upstreams ...http.Handler) balancer {
	t.Helper()
	conf, err := os.ReadFile("nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := string(conf)
	replace := func(old, new string) {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("nginx.conf has no %q", old)
		}
		text = strings.ReplaceAll(text, old, new)
	}
	listen := func() net.Listener {
		t.Helper()
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	var servers strings.Builder
	for _, h := range upstreams {
		l := listen()
		srv := &http.Server{Handler: h}
		go func() { _ = srv.Serve(l) }() // until it is closed
		t.Cleanup(func() { srv.Close() })
		fmt.Fprintf(&servers, "server %s max_fails=0;\n", l.Addr())
	}
	replace("server service:8080 resolve max_fails=1 fail_timeout=2s;", servers.String())
	replace("include /etc/nginx/balance.conf;", balance)
	replace("worker_processes 2;", "worker_processes 1; daemon off;")
	if os.Geteuid() == 0 {
		replace("daemon off;", "daemon off; user root;") // the directory is closed to others
	}
	dir := t.TempDir()
	replace("/tmp/", dir+"/")
	replace("/dev/stdout", dir+"/access.log")
	replace("/dev/stderr", "stderr")
	public, inner, status := listen(), listen(), listen()
	defer public.Close()
	defer inner.Close()
	defer status.Close()
	replace("listen 8080;", "listen "+public.Addr().String()+";")
	replace("listen 8082;", "listen "+inner.Addr().String()+";")
	replace("listen 8081;", "listen "+status.Addr().String()+";")
	_, port, err := net.SplitHostPort(inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	replace(`8082    "";`, port+` "";`)
	component.Nginx(t, dir, text, public, inner, status)
	return balancer{"http://" + public.Addr().String(), "http://" + inner.Addr().String(), filepath.Join(dir, "access.log")}
}

// ask is one request; it says what came of it.
func (b balancer) ask(t *testing.T, method, address string, header http.Header, body string) (status int, got http.Header, text string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(all), err
}

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
			b := startBalancer(t, "",
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

func breakOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// TestWhatReachesAReplica: who asks is what nginx says, and nothing that they say of themselves.
func TestWhatReachesAReplica(t *testing.T) {
	seen := make(chan *http.Request, 1)
	b := startBalancer(t, "", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"`+strings.Repeat("compressible ", 500)+`"`)
	}))
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	_, header, _, err := b.ask(t, "GET", b.url+"/slow", http.Header{
		"X-Forwarded-For": {"6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"}, "X-Forwarded-Host": {"evil.test"},
		"X-Forwarded-Proto": {"https"}, "X-Request-Id": {"from-the-client"}, "Traceparent": {traceparent}, "Tracestate": {"a=1"},
		"Accept-Encoding": {"gzip"},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	r := <-seen
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "", "Forwarded": "", "X-Forwarded-Host": "", "X-Forwarded-Proto": "http",
		"X-Request-Id": "from-the-client", "Traceparent": traceparent, "Tracestate": "a=1", "Connection": "",
	} {
		if got := strings.Join(r.Header.Values(name), "|"); got != want {
			t.Errorf("%s %q reaches a replica, want %q", name, got, want)
		}
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

// TestLimits: what is too large, or too often, is refused by name, and the replicas' own port counts nothing.
func TestLimits(t *testing.T) {
	b := startBalancer(t, "", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
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
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	statuses := map[int]int{}
	var refused http.Header
	for range 1500 {
		res, err := client.Get(b.url + "/slow")
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
	// 500 at once, and 200 more for each second that it took.
	t.Logf("%v", statuses)
	if statuses[200] < 500 || statuses[429] == 0 || statuses[200]+statuses[429] != 1500 || refused.Get("Retry-After") != "1" {
		t.Errorf("%v, Retry-After %q; want at least 500 answers, and 429s that say when to come back", statuses, refused.Get("Retry-After"))
	}
	for range 50 {
		if status, _, _, err := b.ask(t, "GET", b.inner+"/slow", nil, ""); status != 200 {
			t.Fatalf("a replica was refused: %d, %v", status, err)
		}
	}
}

// TestAccessLog: a line is JSON whatever was asked, and names the trace, the upstream and what the cache did.
func TestAccessLog(t *testing.T) {
	b := startBalancer(t, "", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
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
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if got.Msg != "request" || got.Method != "GET" || got.Status != 200 || got.Client != "127.0.0.1" || !strings.HasPrefix(got.Upstream, "127.0.0.1:") ||
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
			b := startBalancer(t, string(text), name("a"), name("b"), name("c"))
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
			hash := filepath.Base(file) == "hash.conf"
			if len(share) != 3 || min(share["a"], share["b"], share["c"]) < 15 || hash != (moved == 0) {
				t.Errorf("shares %v, and %d of 150 paths were answered by two", share, moved)
			}
		})
	}
}
