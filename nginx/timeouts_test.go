package nginx_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTimeoutsFit: who waits for somebody waits a little longer than they may take.
func TestTimeoutsFit(t *testing.T) {
	read := func(file, pattern string) time.Duration {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(pattern).FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s has no %s", file, pattern)
		}
		d, err := time.ParseDuration(strings.Replace(string(m[1]), " * time.Minute", "m", 1))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const conf, site, compose = "nginx.conf", "site.conf", "../docker-compose.yml"
	const server, config = "../service/server.go", "../service/config.go"
	load := read(compose, `VITRINE_CACHE_LOAD_TIMEOUT: (\w+)`)
	answer := read(conf, `(?s)listen 8080;.*?proxy_read_timeout (\w+);`)
	inner := read(conf, `(?s)listen 8082;.*?proxy_read_timeout (\w+);`)
	again := read(site, `proxy_next_upstream_timeout +(\w+);`)
	known := read(conf, `resolver .* valid=(\w+)`)
	reload := read(conf, `worker_shutdown_timeout (\w+);`)
	drain := read(compose, `VITRINE_DRAIN_DELAY: (\w+)`)
	shutdown := read(config, `"VITRINE_SHUTDOWN_TIMEOUT", "(\w+)"`)
	idle := read(conf, `upstream service \{[^}]*\s+keepalive_timeout (\w+);`)
	kept := read(server, `IdleTimeout: +(\d+ \* time.Minute)`)
	for _, fit := range []struct {
		desc            string
		shorter, longer time.Duration
	}{
		{"a load that takes its time, and nginx that waits for it", load, answer},
		{"a load that asks a replica which hangs, and then another", 2 * inner, load},
		{"a load, and the four fifths of a shutdown that it has", load, shutdown / 5 * 4},
		{"a replica that hangs, and the time left to ask another", answer, again},
		{"nginx that may repeat a request, and a second that hangs", again, 2 * answer},
		{"an answer, and nginx' old workers after a reload", answer, reload},
		{"nginx' old workers, and the end of its container", reload, read(compose, `(?s)\n  nginx:.*?stop_grace_period: (\w+)`)},
		{"nginx that learns of new replicas, and an old one's drain", known, drain},
		{"drain and shutdown, and the end of the container", drain + shutdown, read(compose, `(?s)\n  service:.*?stop_grace_period: (\w+)`)},
		{"nginx that keeps a connection, and a replica that does", idle, kept},
	} {
		if fit.shorter >= fit.longer {
			t.Errorf("%s: %s and %s", fit.desc, fit.shorter, fit.longer)
		}
	}
}
