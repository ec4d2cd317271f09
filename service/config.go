package main

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"vitrine/telemetry"
)

// config is what the environment says. configFrom fills in the defaults.
type config struct {
	addr            string
	opsAddr         string
	cache           string // memory, redis or tiered
	redisURL        string
	cacheBytes      int64
	cacheTTL        time.Duration
	cacheStale      time.Duration
	cacheStaleError time.Duration
	softTimeout     time.Duration
	cacheLoads      int
	loadTimeout     time.Duration
	slowDelay       time.Duration
	upstreamURL     string // empty: this process
	maxRequests     int    // 0: any number
	maxConnections  int    // 0: any number
	h2c             bool
	trustTrace      bool
	logLevel        slog.Level
	logFormat       telemetry.Format
	logHits         int // lines a second; -1: all
	logSlow         time.Duration
	logQuery        bool
	logClient       telemetry.ClientAddress
	jaegerURL       string // empty: none
	grafanaURL      string // empty: none
	faults          bool
	drainDelay      time.Duration
	shutdownTimeout time.Duration
}

// variable is one of the program's environment variables.
type variable struct {
	name    string
	initial string
	allowed string // "must be " this
	help    string
	set     func(*config, string) error
}

var variables = []variable{
	{"VITRINE_ADDR", ":8080", "host:port", "where the public endpoints listen",
		func(c *config, v string) error { c.addr = v; return checkAddr(v) }},
	{"VITRINE_OPS_ADDR", ":8081", "host:port", "where metrics, probes and profiles listen; never publish it",
		func(c *config, v string) error { c.opsAddr = v; return checkAddr(v) }},
	{"VITRINE_CACHE", "memory", "memory, redis or tiered", "where answers are kept: in this process, in Redis, or in both",
		func(c *config, v string) error { c.cache = v; return oneOf(v, "memory", "redis", "tiered") }},
	{"VITRINE_REDIS_URL", "", "redis://, rediss:// or unix:// URL; ?addr= for a cluster, ?master_name= for Sentinel",
		"the Redis that all replicas share; needed by redis and tiered",
		func(c *config, v string) error { c.redisURL = v; return checkRedisURL(v) }},
	{"VITRINE_CACHE_BYTES", "64MiB", "a size of at least 1MiB, such as 64MiB", "memory that the near tiers may use, in all",
		func(c *config, v string) (err error) {
			c.cacheBytes, err = units.RAMInBytes(v)
			if err == nil && c.cacheBytes < 1<<20 {
				err = errNotAllowed
			}
			return err
		}},
	{"VITRINE_CACHE_TTL", "1m", "a duration of 0s or more, such as 90s", "how long an answer is fresh; 0s keeps none",
		func(c *config, v string) error { return setDuration(&c.cacheTTL, v) }},
	{"VITRINE_CACHE_STALE", "10s", "a duration of 0s or more, such as 10s", "how long after VITRINE_CACHE_TTL it is served while the next one is computed",
		func(c *config, v string) error { return setDuration(&c.cacheStale, v) }},
	{"VITRINE_CACHE_STALE_ERROR", "5m", "a duration of 0s or more, such as 5m", "how long after VITRINE_CACHE_TTL it stands in for one that fails or is late",
		func(c *config, v string) error { return setDuration(&c.cacheStaleError, v) }},
	{"VITRINE_CACHE_SOFT_TIMEOUT", "3s", "a duration of 0s or more, such as 3s", "when it is late; 0s is never",
		func(c *config, v string) error { return setDuration(&c.softTimeout, v) }},
	{"VITRINE_CACHE_LOADS", "256", "a number of 0 or more", "how many answers of each kind are computed at once; as many wait, and others get 503; 0 is any number",
		func(c *config, v string) error { return setNumber(&c.cacheLoads, v, 0) }},
	{"VITRINE_CACHE_LOAD_TIMEOUT", "30s", "a duration above 0s, such as 30s", "how long computing one may take",
		func(c *config, v string) error { return setPositive(&c.loadTimeout, v) }},
	{"VITRINE_SLOW_DELAY", "2s", "a duration of 0s or more, such as 2s", "how long /slow takes",
		func(c *config, v string) error { return setDuration(&c.slowDelay, v) }},
	{"VITRINE_UPSTREAM_URL", "", "an http:// or https:// URL without a path", "where /stats asks for its children; empty is this process",
		func(c *config, v string) error { c.upstreamURL = strings.TrimSuffix(v, "/"); return checkUpstream(v) }},
	{"VITRINE_MAX_REQUESTS", "1024", "a number of 0 or more", "how many public requests are answered at once; others get 503 at once; 0 is any number",
		func(c *config, v string) error { return setNumber(&c.maxRequests, v, 0) }},
	{"VITRINE_MAX_CONNECTIONS", "2048", "a number of 0 or more", "how many public connections are open; beyond, those that wait longest are closed; 0 is any number",
		func(c *config, v string) error { return setNumber(&c.maxConnections, v, 0) }},
	{"VITRINE_H2C", "false", "true or false", "whether HTTP/2 without TLS is spoken, for a proxy that does",
		func(c *config, v string) error { return setBool(&c.h2c, v) }},
	{"VITRINE_TRUST_TRACEPARENT", "false", "true or false", "whether a client's trace is continued; else a request begins its own, linked to it",
		func(c *config, v string) error { return setBool(&c.trustTrace, v) }},
	{"VITRINE_LOG_LEVEL", "info", "debug, info, warn or error", "the lowest level that is logged",
		func(c *config, v string) error {
			if err := oneOf(v, "debug", "info", "warn", "error"); err != nil {
				return err
			}
			return c.logLevel.UnmarshalText([]byte(v))
		}},
	{"VITRINE_LOG_FORMAT", "auto", "auto, text or json", "how it is logged; auto is text on a terminal, else JSON",
		func(c *config, v string) error { return c.logFormat.UnmarshalText([]byte(v)) }},
	{"VITRINE_LOG_HITS", "100", "all, or a number of 1 or more", "how many hits a second have a line in JSON; of those beyond, one in 100 has",
		func(c *config, v string) error {
			if v == "all" {
				c.logHits = -1
				return nil
			}
			return setNumber(&c.logHits, v, 1)
		}},
	{"VITRINE_LOG_SLOW", "1s", "a duration above 0s, such as 1s", "from how long on a hit is logged in any case",
		func(c *config, v string) error { return setPositive(&c.logSlow, v) }},
	{"VITRINE_LOG_QUERY", "false", "true or false", "whether a request's query is logged; it may be secret",
		func(c *config, v string) error { return setBool(&c.logQuery, v) }},
	{"VITRINE_LOG_CLIENT", "none", "none, peer or forwarded", "whose address is logged: nobody's, the connection's, or what the nearest proxy says",
		func(c *config, v string) error { return c.logClient.UnmarshalText([]byte(v)) }},
	{"VITRINE_JAEGER_URL", "", "an http:// or https:// URL", "where a browser finds Jaeger; the page links to its traces",
		func(c *config, v string) error { return setPage(&c.jaegerURL, v) }},
	{"VITRINE_GRAFANA_URL", "", "an http:// or https:// URL", "where a browser finds Grafana; the page links to its dashboards",
		func(c *config, v string) error { return setPage(&c.grafanaURL, v) }},
	{"VITRINE_FAULTS", "false", "true or false", "whether the operations port takes faults, at /debug/faults, for drills",
		func(c *config, v string) error { return setBool(&c.faults, v) }},
	{"VITRINE_DRAIN_DELAY", "0s", "a duration of 0s or more, such as 5s", "how long to go on serving after a SIGTERM, not ready any more",
		func(c *config, v string) error { return setDuration(&c.drainDelay, v) }},
	{"VITRINE_SHUTDOWN_TIMEOUT", "20s", "a duration of 0s or more, such as 20s", "how long requests and flushes may take after that",
		func(c *config, v string) error { return setDuration(&c.shutdownTimeout, v) }},
}

// configFrom reads the environment. Its error has one line for each variable that is wrong.
func configFrom(getenv func(string) string) (config, error) {
	var c config
	var errs []error
	for _, v := range variables {
		value := getenv(v.name)
		if value == "" {
			value = v.initial
		}
		if value == "" {
			continue
		}
		if err := v.set(&c, value); err != nil {
			errs = append(errs, usage("%s=%q: must be %s", v.name, redacted(value), v.allowed))
		}
	}
	if len(errs) == 0 && c.cache != "memory" && c.redisURL == "" {
		errs = append(errs, usage("VITRINE_REDIS_URL=%q: must be set where VITRINE_CACHE is %s", "", c.cache))
	}
	return c, errors.Join(errs...)
}

// redacted is value without what may be secret in a URL: user info and query. It parses nothing, because
// what is shown here often does not parse: a password with a '#' or '?', or one without a scheme.
func redacted(value string) string {
	at, query := strings.LastIndexByte(value, '@'), strings.IndexAny(value, "?#")
	scheme := schemeOf.FindString(value)
	switch {
	case at < 0 && query < 0:
		return value
	case query < 0:
		return scheme + "xxxxx" + value[at:]
	case at < 0:
		return value[:query+1] + "xxxxx"
	case at < query:
		return scheme + "xxxxx" + value[at:query+1] + "xxxxx"
	default: // the password has the mark, or the query the '@'
		return scheme + "xxxxx"
	}
}

var schemeOf = regexp.MustCompile(`^[a-z]+://`)

var errNotAllowed = errors.New("not allowed")

func oneOf(v string, allowed ...string) error {
	if !slices.Contains(allowed, v) {
		return errNotAllowed
	}
	return nil
}

func checkAddr(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return err
	}
	_, err = net.LookupPort("tcp", port)
	return err
}

func setDuration(d *time.Duration, v string) (err error) {
	*d, err = time.ParseDuration(v)
	if err == nil && *d < 0 {
		err = errNotAllowed
	}
	return err
}

func setPositive(d *time.Duration, v string) error {
	err := setDuration(d, v)
	if err == nil && *d == 0 {
		err = errNotAllowed
	}
	return err
}

func setBool(b *bool, v string) error {
	*b = v == "true"
	return oneOf(v, "true", "false")
}

func setNumber(n *int, v string, least int) (err error) {
	*n, err = strconv.Atoi(v)
	if err == nil && *n < least {
		err = errNotAllowed
	}
	return err
}

func checkUpstream(v string) error {
	u, err := url.Parse(v)
	if err != nil {
		return err
	}
	if u.Host == "" || u.Path != "" && u.Path != "/" || strings.ContainsAny(v, "?#") {
		return errNotAllowed
	}
	return oneOf(u.Scheme, "http", "https")
}

// setPage takes what links are made of by adding a path.
func setPage(page *string, v string) error {
	u, err := url.Parse(v)
	if err != nil {
		return err
	}
	if u.Host == "" || u.User != nil || strings.ContainsAny(v, "?#") {
		return errNotAllowed
	}
	*page = strings.TrimSuffix(v, "/")
	return oneOf(u.Scheme, "http", "https")
}
