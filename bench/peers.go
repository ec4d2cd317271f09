package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"vitrine/e2e/markdown"
	"vitrine/e2e/redisserver"
)

// podinfo is the newest that the Go module proxy has: 6.9.2.
const (
	podinfo        = "github.com/stefanprodan/podinfo/cmd/podinfo"
	podinfoVersion = "v1.8.1-0.20250910200901-e86405a8674e"
)

var peersContenders = enlist("peers",
	contender{name: "net/http, bare", serve: func(context.Context) (http.Handler, error) { return bare(), nil }},
	contender{name: "near hit, instrumented, 1 % sampled", env: onePercent, serve: nearHit(true)},
)

// podinfo starts podinfo as it comes: it counts and times each request, and neither traces nor logs it.
func (b *bench) podinfo(ctx context.Context, args ...string) (addr string, p program, err error) {
	binary, err := b.install(ctx, podinfo, podinfoVersion)
	if err != nil {
		return "", p, err
	}
	if addr, err = freeAddr(); err != nil {
		return "", p, err
	}
	_, at := podinfoAt(addr, "")
	p, err = run(binary, addr, nil, append(at, args...)...)
	return addr, p, err
}

// podinfos are its answer from memory, and one that it keeps in Redis.
func (b *bench) podinfos(ctx context.Context, redis string) ([]server, error) {
	health, p, err := b.podinfo(ctx)
	if err != nil {
		return nil, err
	}
	cached, q, err := b.podinfo(ctx, "--cache-server", "tcp://"+redis)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	res, err := http.Post("http://"+cached+"/cache/slow", "application/json", strings.NewReader(slowText))
	if err == nil {
		err = res.Body.Close()
	}
	return []server{
		{name: "peers/podinfo /healthz", addr: health, request: always("/healthz"), used: p.used, stop: p.stop},
		{name: "peers/podinfo's Redis cache", addr: cached, request: always("/cache/slow"), used: q.used, stop: q.stop},
	}, err
}

func peersSuite(ctx context.Context, b *bench) (r report, err error) {
	collector := sink()
	defer collector.Close()
	inRedis, err := redisserver.Start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, inRedis.Stop()) }()
	redis := inRedis.Addr
	exported := "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL

	var servers []server
	for _, c := range slices.Concat(peersContenders, middlewares) {
		p, err := c.start(exported)
		if err != nil {
			return r, err
		}
		servers = append(servers, p.server(always("/slow")))
	}
	sampled := append(onePercent, exported)
	for _, program := range []struct {
		name, path string
		env        []string
	}{
		{"peers/the program's /health", "/health", sampled},
		{"peers/the program's near hit", "/slow", sampled},
		{"peers/the program's far hit", "/slow", append(sampled, "VITRINE_CACHE=redis", "VITRINE_REDIS_URL=redis://"+redis+"/0")},
	} {
		s, err := b.service(ctx, program.name, always(program.path), program.env...)
		if err != nil {
			return r, err
		}
		servers = append(servers, s)
	}
	if of, err := b.podinfos(ctx, redis); err != nil {
		r.Notes = append(r.Notes, "podinfo was not had: "+strings.TrimSpace(err.Error()))
	} else {
		servers = append(servers, of...)
	}
	results, err := b.serving(servers, b.ops(64*300))
	if err != nil {
		return r, err
	}
	r.Head = []string{"an answer of 110 bytes over HTTP/1.1", "CPU", "against bare net/http", "allocations", "p99"}
	by := map[string]costs{}
	for i, s := range servers {
		by[s.label()] = results[i]
		allocated := "" // of programs, nobody tells
		if a := results[i].of(allocs); a.Median > 0 {
			allocated = markdown.Number(a.Median)
		}
		r.Rows = append(r.Rows, []string{
			s.label(), duration(results[i].of(cpu).Median), "× " + ranged(results[i].against(results[0], cpu)), allocated,
			duration(results[i].of(p99).Median),
		})
	}
	program := goal{Work: "instrumented near hit over HTTP", Unit: "× CPU"}
	library := goal{Work: "near hit over HTTP, as a library", Unit: "× CPU"}
	for _, g := range []struct {
		goal
		of, against string
		bound       float64
	}{
		{program, "the program's near hit", "podinfo /healthz", .6},
		{program, "the program's near hit", "podinfo's Redis cache", .25},
		{library, "near hit, as a library", "go-chi/stampede", 1},
		{library, "near hit, as a library", "gin-contrib/cache", 1},
		{library, "near hit, as a library", "chenyahui/gin-cache", 1},
		{library, "near hit, as a library", "gofiber/fiber's cache (fasthttp)", 1},
	} {
		if peer, had := by[g.against]; had {
			g.Against, g.Bound, g.Got = g.against, g.bound, by[g.of].against(peer, cpu)
			r.Goals = append(r.Goals, g.goal)
		}
	}
	r.Notes = append(r.Notes,
		"As a library, ours counts and does not trace, as HTTP's rules have it (RFC 9111); the middlewares neither count nor trace",
		"stampede keeps 512 answers by a hash of path and body and coalesces; gin-contrib/cache and gin-cache keep any number by URI, and only the latter coalesces; none of the three reads `Cache-Control` or `Vary`",
		"fiber's is on fasthttp instead of net/http, and so is the row of it without a cache",
		"podinfo is "+podinfoVersion+" (6.9.2), built as its image is: by default it counts and times requests, and neither traces nor logs them; its cache sends `PING`, `EXISTS` and `GET`, over a pool of which three connections stay",
		"souin is left out: it warns of the store that it brings, \"for development purpose\", and its module for otter is not on the Go module proxy; neither are victorspringer/http-cache and lox/httpcache; gregjones/httpcache and bxcodec/httpcache are for clients",
	)
	return r, nil
}
