package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestRoutes: what each port has, and what it has not.
func TestRoutes(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms"})
	for _, test := range []struct {
		desc, method, url string
		status            int
		mediaType, allow  string
	}{
		{"the page", "GET", p.url + "/", 200, "text/html", ""},
		{"its script", "GET", p.url + "/assets/atlas.js", 200, "text/javascript", ""},
		{"its style", "GET", p.url + "/assets/atlas.css", 200, "text/css", ""},
		{"its library", "GET", p.url + "/assets/leaflet/leaflet.js", 200, "text/javascript", ""},
		{"no such asset", "GET", p.url + "/assets/page.go", 404, "text/plain", ""},
		{"a folder of assets", "GET", p.url + "/assets/leaflet/", 404, "text/plain", ""},
		{"the page as an asset", "GET", p.url + "/assets/index.html", 404, "text/plain", ""},
		{"the last minute", "GET", p.url + "/minute", 200, "application/json", ""},
		{"a stampede", "POST", p.url + "/stampede", 200, "application/json", ""},
		{"wrong method for a stampede", "GET", p.url + "/stampede", 405, "text/plain", "POST"},
		{"out of the assets", "GET", p.url + "/assets/..%2f..%2fmain.go", 404, "text/plain", ""},
		{"the endpoint", "GET", p.url + "/slow", 200, "application/json", ""},
		{"HEAD", "HEAD", p.url + "/slow", 200, "application/json", ""},
		{"health", "GET", p.url + "/health", 200, "application/json", ""},
		{"unknown path", "GET", p.url + "/nothing", 404, "text/plain", ""},
		{"below a known path", "GET", p.url + "/slow/er", 404, "text/plain", ""},
		{"too few parts", "GET", p.url + "/tiles/1/1", 404, "text/plain", ""},
		{"wrong method", "POST", p.url + "/slow", 405, "text/plain", "GET, HEAD"},
		{"wrong method for a tile", "DELETE", p.url + "/tiles/1/1/1", 405, "text/plain", "GET, HEAD"},
		{"wrong method for no tile", "PUT", p.url + "/stats/a/b/c", 405, "text/plain", "GET, HEAD"},
		{"wrong method for the page", "POST", p.url + "/", 405, "text/plain", "GET, HEAD"},
		{"metrics are not public", "GET", p.url + "/metrics", 404, "text/plain", ""},
		{"profiles are not public", "GET", p.url + "/debug/pprof/", 404, "text/plain", ""},
		{"traces are not public", "GET", p.url + "/debug/tracez", 404, "text/plain", ""},
		{"the log level is not public", "GET", p.url + "/debug/log-level", 404, "text/plain", ""},
		{"probes are not public", "GET", p.url + "/readyz", 404, "text/plain", ""},
		{"liveness is not public", "GET", p.url + "/livez", 404, "text/plain", ""},

		{"metrics", "GET", p.opsURL + "/metrics", 200, "text/plain", ""},
		{"liveness", "GET", p.opsURL + "/livez", 200, "text/plain", ""},
		{"readiness", "GET", p.opsURL + "/readyz", 200, "text/plain", ""},
		{"traces", "GET", p.opsURL + "/debug/tracez", 200, "text/html", ""},
		{"the log level", "GET", p.opsURL + "/debug/log-level", 200, "text/plain", ""},
		{"wrong method for the log level", "POST", p.opsURL + "/debug/log-level", 405, "text/plain", "GET, HEAD, PUT"},
		{"profiles", "GET", p.opsURL + "/debug/pprof/", 200, "text/html", ""},
		{"a profile", "GET", p.opsURL + "/debug/pprof/goroutine?debug=1", 200, "text/plain", ""},
		{"the command line", "GET", p.opsURL + "/debug/pprof/cmdline", 200, "text/plain", ""},
		{"operations have no endpoints", "GET", p.opsURL + "/slow", 404, "text/plain", ""},
		{"operations have no page", "GET", p.opsURL + "/", 404, "text/plain", ""},
	} {
		t.Run(test.desc, func(t *testing.T) {
			a := ask(t, test.method, test.url)
			a.want(t, test.status, test.mediaType)
			if got := a.Header.Get("Allow"); got != test.allow {
				t.Errorf("Allow %q, want %q", got, test.allow)
			}
			if told := strings.HasPrefix(test.url, p.url) && test.url != p.url+"/minute"; told != (a.Header["Traceresponse"] != nil) {
				t.Errorf("Traceresponse %q; want one for what is public and not polled, and for nothing else", a.Header["Traceresponse"])
			}
		})
	}
}

// TestLogLevelAtRunTime: an operator changes it, and no page that an operator's browser shows can.
func TestLogLevelAtRunTime(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	put := func(level string, header ...string) (status int, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.opsURL+"/debug/log-level", strings.NewReader(level))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(answer)
	}
	level := func() string { return get(t, p.opsURL+"/debug/log-level").body }
	if level() != "INFO\n" {
		t.Errorf("the level is %q at the start", level())
	}
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://example.com"}, {"Origin", "null"},
	} {
		if status, body := put("debug", header...); status != http.StatusForbidden || level() != "INFO\n" {
			t.Errorf("%v: %d, %q, and the level is %q; want 403 and no change", header, status, body, level())
		}
	}
	for _, header := range [][]string{nil, {"Sec-Fetch-Site", "same-origin"}, {"Origin", p.opsURL}} {
		for _, to := range []string{"warn", "info"} {
			if status, body := put(to, header...); status != http.StatusOK || body != strings.ToUpper(to)+"\n" || level() != body {
				t.Errorf("%v: %d, %q, and the level is %q; want 200 and %s", header, status, body, level(), to)
			}
		}
	}
	if status, body := put("loud"); status != http.StatusBadRequest || !strings.Contains(body, "debug, info, warn, error") {
		t.Errorf("%d, %q; want 400 and what is allowed", status, body)
	}
	if n := len(p.logs.Records(t, "log level changed")); n != 6 {
		t.Errorf("%d changes in the log, want 6:\n%s", n, p.logs)
	}
}

// TestTraceOfHitAndMiss: which way an answer takes makes no difference to whose trace it is in.
func TestTraceOfHitAndMiss(t *testing.T) {
	t.Parallel()
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	one := []string{"Traceparent", "00-" + id + "-00f067aa0ba902b7-01"}
	for _, test := range []struct {
		desc      string
		trust     string
		header    []string
		continued bool
	}{
		{"the caller's", "true", one, true},
		{"a stranger's", "", one, false},
		{"two callers'", "true", append(one, "Traceparent", "00-"+id+"-00f067aa0ba902b8-01"), false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms", "VITRINE_TRUST_TRACEPARENT": test.trust})
			for _, path := range []string{"/slow", "/slow", "/nothing"} {
				a := get(t, p.url+path, test.header...)
				if continued := strings.Contains(a.Header.Get("Traceresponse"), id); continued != test.continued {
					t.Errorf("%s, %s: Traceresponse %q, continued is %t, want %t",
						path, a.Header.Get("Cache-Status"), a.Header.Get("Traceresponse"), continued, test.continued)
				}
			}
		})
	}
}

// TestPagePolicy: the page runs its own script, and no other.
func TestPagePolicy(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	page := get(t, p.url+"/")
	policy := page.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("Content-Security-Policy %q, want %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy %q", policy)
	}
	for _, inline := range []string{"<style", "style=", "<script>", "onclick="} {
		if strings.Contains(page.body, inline) {
			t.Errorf("the page has %s, which its policy forbids", inline)
		}
	}
	for _, path := range []string{"/", "/assets/atlas.js", "/assets/atlas.css"} {
		if got := get(t, p.url+path).Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", path, got)
		}
	}
	for _, asset := range []string{"/assets/atlas.js", "/assets/atlas.css"} {
		if !strings.Contains(page.body, `"`+asset+`"`) {
			t.Errorf("the page does not use %s", asset)
		}
	}
}

// TestRouteIsOnEverySignal: in the metric and in the log, a tile is no path of its own.
func TestRouteIsOnEverySignal(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	get(t, p.url+"/tiles/3/1/2")
	get(t, p.url+"/secret/path")
	var metrics string
	for _, want := range []string{
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/tiles/{z}/{x}/{y}"} 1`,
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="404",http_route=""} 1`,
	} {
		// A large answer may be read to its end before it is counted.
		eventually(t, want, func() bool {
			metrics = get(t, p.opsURL+"/metrics").body
			return strings.Contains(metrics, want+"\n")
		})
	}
	if strings.Contains(metrics, "secret") || strings.Contains(metrics, "3/1/2") {
		t.Error("a path is in the metrics")
	}
	p.stop(t)
	var routes []any
	for _, line := range p.logs.Records(t, "request") {
		routes = append(routes, line["route"])
	}
	if len(routes) != 2 || routes[0] != "/tiles/{z}/{x}/{y}" || routes[1] != "" {
		t.Errorf("routes %q in the log", routes)
	}
}
