package nginx_test

import (
	"os"
	"regexp"
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
		d, err := time.ParseDuration(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const conf, compose = "nginx.conf", "../docker-compose.yml"
	load := read(compose, `VITRINE_CACHE_LOAD_TIMEOUT: (\w+)`)
	answer := read(conf, `proxy_read_timeout +(\w+);`)
	again := read(conf, `proxy_next_upstream_timeout +(\w+);`)
	known := read(conf, `resolver .* valid=(\w+)`)
	drain := read(compose, `VITRINE_DRAIN_DELAY: (\w+)`)
	grace := read(compose, `stop_grace_period: (\w+)`)
	const shutdown = 20 * time.Second // VITRINE_SHUTDOWN_TIMEOUT's default
	for _, fit := range []struct {
		desc            string
		shorter, longer time.Duration
	}{
		{"a load that takes its time, and nginx that waits for it", load, answer},
		{"a replica that hangs, and the time left to ask another", answer, again},
		{"nginx that may repeat a request, and a second that hangs", again, 2 * answer},
		{"nginx that learns of new replicas, and an old one's drain", known, drain},
		{"drain and shutdown, and the end of the container", drain + shutdown, grace},
	} {
		if fit.shorter >= fit.longer {
			t.Errorf("%s: %s and %s", fit.desc, fit.shorter, fit.longer)
		}
	}
}
