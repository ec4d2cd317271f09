package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"vitrine/telemetry"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestConfigDefaults(t *testing.T) {
	c, err := configFrom(env())
	want := config{
		addr: ":8080", opsAddr: ":8081", cache: "memory", cacheBytes: 64 << 20, cacheTTL: time.Minute,
		cacheStale: 10 * time.Second, cacheStaleError: 5 * time.Minute, softTimeout: 3 * time.Second, cacheLoads: 256,
		loadTimeout: 30 * time.Second, slowDelay: 2 * time.Second, maxRequests: 1024, maxConnections: 2048, logLevel: slog.LevelInfo, logFormat: telemetry.FormatAuto,
		logHits: 100, logSlow: time.Second, shutdownTimeout: 20 * time.Second,
	}
	if err != nil || c != want {
		t.Errorf("%+v, %v; want\n%+v", c, err, want)
	}
}

// values are good and bad ones of each variable, and what the good ones become.
var values = []struct {
	name string
	good map[string]string
	bad  []string
	get  func(config) any
}{
	{"VITRINE_ADDR",
		map[string]string{":80": ":80", "localhost:http": "localhost:http", "[::1]:0": "[::1]:0"},
		[]string{"8080", "localhost", ":99999", ":nosuchservice", "::1:80"},
		func(c config) any { return c.addr }},
	{"VITRINE_OPS_ADDR",
		map[string]string{"127.0.0.1:0": "127.0.0.1:0"},
		[]string{"8081", ":-1"},
		func(c config) any { return c.opsAddr }},
	{"VITRINE_CACHE",
		map[string]string{"memory": "memory"}, // the others need a URL
		[]string{"foo", "Memory", "memory,redis"},
		func(c config) any { return c.cache }},
	{"VITRINE_REDIS_URL",
		map[string]string{
			"redis://h:1/2":             "redis://h:1/2",
			"rediss://u:p@h":            "rediss://u:p@h",
			"unix:///run/redis.sock":    "unix:///run/redis.sock",
			"redis://h?addr=h2:2":       "redis://h?addr=h2:2",
			"redis://h?master_name=m":   "redis://h?master_name=m",
			"redis://h?read_timeout=1s": "redis://h?read_timeout=1s",
		},
		[]string{"localhost:6379", "http://h", "redis://h/notanumber", "redis://h?bogus=1"},
		func(c config) any { return c.redisURL }},
	{"VITRINE_CACHE_BYTES",
		map[string]string{"1MiB": "1048576", "1.5GiB": "1610612736", "2097152": "2097152", "64 mb": "67108864"},
		[]string{"0", "1048575", "-64MiB", "64XB", "lots", "9999999PiB"},
		func(c config) any { return c.cacheBytes }},
	{"VITRINE_CACHE_STALE", durationsGood, durationsBad, func(c config) any { return c.cacheStale }},
	{"VITRINE_CACHE_STALE_ERROR", durationsGood, durationsBad, func(c config) any { return c.cacheStaleError }},
	{"VITRINE_CACHE_SOFT_TIMEOUT", durationsGood, durationsBad, func(c config) any { return c.softTimeout }},
	{"VITRINE_CACHE_LOADS", numbersGood, numbersBad, func(c config) any { return c.cacheLoads }},
	{"VITRINE_CACHE_LOAD_TIMEOUT", positiveGood, positiveBad, func(c config) any { return c.loadTimeout }},
	{"VITRINE_CACHE_TTL", durationsGood, durationsBad, func(c config) any { return c.cacheTTL }},
	{"VITRINE_SLOW_DELAY", durationsGood, durationsBad, func(c config) any { return c.slowDelay }},
	{"VITRINE_UPSTREAM_URL",
		map[string]string{"http://nginx:8080": "http://nginx:8080", "https://h/": "https://h", "http://[::1]:80": "http://[::1]:80"},
		[]string{"nginx:8080", "ftp://h", "http://", "http://h/path", "http://h//", "http://h?q=1", "http://h?", "http://h#f", "http://h:x"},
		func(c config) any { return c.upstreamURL }},
	{"VITRINE_JAEGER_URL", pagesGood, pagesBad, func(c config) any { return c.jaegerURL }},
	{"VITRINE_GRAFANA_URL", pagesGood, pagesBad, func(c config) any { return c.grafanaURL }},
	{"VITRINE_MAX_REQUESTS", numbersGood, numbersBad, func(c config) any { return c.maxRequests }},
	{"VITRINE_MAX_CONNECTIONS", numbersGood, numbersBad, func(c config) any { return c.maxConnections }},
	{"VITRINE_H2C", switchGood, switchBad, func(c config) any { return c.h2c }},
	{"VITRINE_TRUST_TRACEPARENT", switchGood, switchBad, func(c config) any { return c.trustTrace }},
	{"VITRINE_LOG_LEVEL",
		map[string]string{"debug": "DEBUG", "info": "INFO", "warn": "WARN", "error": "ERROR"},
		[]string{"INFO", "trace", "0", "info+1"},
		func(c config) any { return c.logLevel }},
	{"VITRINE_LOG_HITS",
		map[string]string{"all": "-1", "1": "1", "5000": "5000"},
		[]string{"0", "-1", "some", "1.5", "All"},
		func(c config) any { return c.logHits }},
	{"VITRINE_LOG_SLOW", positiveGood, positiveBad, func(c config) any { return c.logSlow }},
	{"VITRINE_LOG_QUERY", switchGood, switchBad, func(c config) any { return c.logQuery }},
	{"VITRINE_LOG_CLIENT",
		map[string]string{"none": "0", "peer": "1", "forwarded": "2"},
		[]string{"all", "Peer", "0"},
		func(c config) any { return c.logClient }},
	{"VITRINE_LOG_FORMAT",
		map[string]string{"auto": "0", "text": "1", "json": "2"},
		[]string{"JSON", "logfmt"},
		func(c config) any { return c.logFormat }},
	{"VITRINE_FAULTS", switchGood, switchBad, func(c config) any { return c.faults }},
	{"VITRINE_DRAIN_DELAY", durationsGood, durationsBad, func(c config) any { return c.drainDelay }},
	{"VITRINE_SHUTDOWN_TIMEOUT", durationsGood, durationsBad, func(c config) any { return c.shutdownTimeout }},
}

var (
	durationsGood = map[string]string{"0s": "0s", "0": "0s", "90s": "1m30s", "1h30m": "1h30m0s", "50ms": "50ms"}
	durationsBad  = []string{"2", "-1s", "two seconds", "1d"}
	positiveGood  = map[string]string{"1ms": "1ms", "2m": "2m0s"}
	positiveBad   = []string{"0s", "-1s", "1", "slow"}
	numbersGood   = map[string]string{"0": "0", "16": "16"}
	numbersBad    = []string{"-1", "many", "1.5"}
	switchGood    = map[string]string{"true": "true", "false": "false"}
	switchBad     = []string{"yes", "1", "True"}
	pagesGood     = map[string]string{"http://localhost:3000": "http://localhost:3000", "https://h/grafana/": "https://h/grafana"}
	pagesBad      = []string{"localhost:3000", "javascript:alert(1)", "http://", "http://u:p@h", "http://h?q=1", "http://h#f", "http://h:x"}
)

func TestConfigValues(t *testing.T) {
	tested := map[string]bool{}
	for _, test := range values {
		tested[test.name] = true
		t.Run(test.name, func(t *testing.T) {
			for value, want := range test.good {
				c, err := configFrom(env(test.name, value))
				if got := fmt.Sprint(test.get(c)); err != nil || got != want {
					t.Errorf("%q became %s, %v; want %s", value, got, err, want)
				}
			}
			for _, value := range test.bad {
				_, err := configFrom(env(test.name, value))
				if err == nil {
					t.Errorf("%q was taken", value)
					continue
				}
				checkUsage(t, err, fmt.Sprintf("vitrine: %s=%q: must be %s\n", test.name, redacted(value), allowed(t, test.name)))
			}
		})
	}
	for _, v := range variables {
		if !tested[v.name] {
			t.Errorf("no values of %s are tested", v.name)
		}
	}
}

func allowed(t *testing.T, name string) string {
	t.Helper()
	for _, v := range variables {
		if v.name == name {
			return v.allowed
		}
	}
	t.Fatalf("no variable %s", name)
	return ""
}

// checkUsage tells whether err ends the program with 2 and these lines.
func checkUsage(t *testing.T, err error, want string) {
	t.Helper()
	var stderr bytes.Buffer
	if code := exitCode(err, &stderr); code != 2 || stderr.String() != want {
		t.Errorf("exit code %d, and\n%swant 2, and\n%s", code, stderr.String(), want)
	}
}

func TestConfigManyWrong(t *testing.T) {
	err := run(t.Context(), nil, env("VITRINE_CACHE", "foo", "VITRINE_LOG_LEVEL", "loud", "VITRINE_ADDR", "here"), io.Discard, io.Discard)
	checkUsage(t, err, `vitrine: VITRINE_ADDR="here": must be host:port
vitrine: VITRINE_CACHE="foo": must be memory, redis or tiered
vitrine: VITRINE_LOG_LEVEL="loud": must be debug, info, warn or error
`)
}

func TestConfigNeedsRedis(t *testing.T) {
	for _, kind := range []string{"redis", "tiered"} {
		_, err := configFrom(env("VITRINE_CACHE", kind))
		checkUsage(t, err, fmt.Sprintf("vitrine: VITRINE_REDIS_URL=\"\": must be set where VITRINE_CACHE is %s\n", kind))
		if c, err := configFrom(env("VITRINE_CACHE", kind, "VITRINE_REDIS_URL", "redis://h")); err != nil || c.cache != kind {
			t.Errorf("%+v, %v; want %s", c, err, kind)
		}
	}
}

// TestNoPasswordIsShown: all of these are wrong, and what they say is shown without the password.
func TestNoPasswordIsShown(t *testing.T) {
	for _, value := range []string{
		"redis://user:s3cret@host:port", "redis://:s3cret@host/db", "redis://:s3cret@host/?bogus=1",
		"redis://host/db?password=s3cret", "redis://host?password=s3cret", "redis://u:s3cret@host/db?password=s3cret",
		"redis://u:x@s3cret%zz@host", "redis://u:%zz@host?password=s3cret", "redis://host%zz?password=s3cret@x",
		"redis://u:x#s3cret@host", "redis://u:x?s3cret@host", "redis://u:x/s3cret@host",
		"user:s3cret@host:6379", "s3cret@host", "://s3cret@host", "http://:s3cret@host/path", "redis://host/db#s3cret",
		"redis://u:s3cret@host\x7f", "redis://u:s3cret p@host",
	} {
		for _, name := range []string{"VITRINE_REDIS_URL", "VITRINE_UPSTREAM_URL"} {
			_, err := configFrom(env(name, value))
			if err == nil {
				t.Errorf("%s=%q was taken", name, value)
			} else if strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(err.Error(), name+"=") {
				t.Errorf("%s=%q: the error is %q", name, value, err)
			}
		}
	}
}

// TestRedactedSaysWhatIsWrong: what is no secret stays.
func TestRedactedSaysWhatIsWrong(t *testing.T) {
	for value, want := range map[string]string{
		"":                               "",
		"localhost:6379":                 "localhost:6379",
		"http://host":                    "http://host",
		"redis://u:p@host:port/db":       "redis://xxxxx@host:port/db",
		"redis://host:1/2?password=p":    "redis://host:1/2?xxxxx",
		"redis://u:p@host/2?password=p":  "redis://xxxxx@host/2?xxxxx",
		"redis://host/2?password=p@ssed": "redis://xxxxx",
	} {
		if got := redacted(value); got != want {
			t.Errorf("%q became %q, want %q", value, got, want)
		}
	}
}

// TestReadmeTable: README.md's table has every variable with its default.
func TestReadmeTable(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variables {
		row := fmt.Sprintf("| `%s` | |", v.name)
		if v.initial != "" {
			row = fmt.Sprintf("| `%s` | `%s` |", v.name, v.initial)
		}
		if !strings.Contains("\n"+string(text), "\n"+row) {
			t.Errorf("README.md has no row that begins with %s", row)
		}
	}
}
