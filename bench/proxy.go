package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"vitrine/e2e/markdown"
)

// originVariable names the program whose answers a contender repeats.
const originVariable = "BENCH_ORIGIN"

// proxied are what is asked for, of the program and of what stands for it.
var proxied = []string{"/slow", "/tiles/2/1/1"}

var proxyContenders = enlist("proxy", contender{name: "net/http, bare", serve: repeated})

// repeated answers as the origin did, header fields included.
func repeated(ctx context.Context) (http.Handler, error) {
	mux := http.NewServeMux()
	for _, path := range proxied {
		header, body, err := answer(ctx, os.Getenv(originVariable), path)
		if err != nil {
			return nil, err
		}
		header.Del("Date") // each answer's own
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range header {
				w.Header()[name] = values
			}
			_, _ = w.Write(body)
		})
	}
	return mux, nil
}

// answer is what a server answers.
func answer(ctx context.Context, addr, path string) (http.Header, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return nil, nil, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s%s answered %s", addr, path, res.Status)
	}
	return res.Header, body, err
}

// nginxConf is a proxy with what its documentation recommends for files that are often asked for: they lie in memory, stay open
// and are sent by the kernel.
const nginxConf = `
daemon off;
worker_processes auto;
user %[1]s;
pid nginx.pid;
error_log stderr crit;

events { worker_connections 1024; }

http {
	access_log %[2]s;
	client_body_temp_path body;
	fastcgi_temp_path     fastcgi;
	uwsgi_temp_path       uwsgi;
	scgi_temp_path        scgi;
	proxy_temp_path       proxy;
	proxy_cache_path      cache levels=1:2 keys_zone=cache:8m use_temp_path=off;

	sendfile on;
	tcp_nopush on;
	open_file_cache max=1000;
	keepalive_requests 100000000; # none is closed in between

	server {
		listen %[3]s;

		location / {
			proxy_pass http://%[4]s;
			proxy_cache cache;
			proxy_cache_valid 200 1h;
		}
	}
}
`

// nginx is one in front of origin, that keeps its cache in memory. log is of its configuration: "off" or a file.
func (b *bench) nginx(name, log, origin string, request func(int) []byte) (s server, err error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return s, err
	}
	me, err := user.Current()
	if err != nil {
		return s, err
	}
	memory := "/dev/shm"
	if _, err := os.Stat(memory); err != nil {
		memory = b.scratch
	}
	dir, err := os.MkdirTemp(memory, "bench")
	if err != nil {
		return s, err
	}
	addr, err := freeAddr()
	if err != nil {
		return s, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, me.Username, log, addr, origin), 0o600); err != nil {
		return s, err
	}
	p, err := run(path, addr, nil, "-p", dir, "-c", conf)
	return server{name: name, addr: addr, request: request, used: p.used, stop: func() error {
		if err := p.stop(); err != nil {
			return err
		}
		return os.RemoveAll(dir)
	}}, err
}

func nginxVersion() string {
	out, err := exec.Command("nginx", "-v").CombinedOutput()
	if err != nil {
		return "nginx"
	}
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), "nginx version: ")
	return version
}

func proxySuite(ctx context.Context, b *bench) (r report, err error) {
	collector := sink()
	defer collector.Close()
	r.Head = []string{"a hit over HTTP/1.1", "CPU", "against bare net/http", "against nginx, no log", "p99"}
	for _, path := range proxied {
		program, err := b.service(ctx, "proxy/near hit of the program, 1 % sampled", always(path),
			append(onePercent, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL)...)
		if err != nil {
			return r, err
		}
		_, body, err := answer(ctx, program.addr, path)
		if err != nil {
			return r, err
		}
		bare, err := proxyContenders[0].start(originVariable + "=" + program.addr)
		if err != nil {
			return r, err
		}
		servers := []server{bare.server(always(path)), program}
		for _, log := range []struct{ name, value string }{{"no log", "off"}, {"a log line each", "access.log"}} {
			s, err := b.nginx("proxy/nginx proxy_cache hit, "+log.name, log.value, program.addr, always(path))
			if err != nil {
				return r, err
			}
			servers = append(servers, s)
		}
		results, err := b.serving(servers, b.ops(64*600))
		if err != nil {
			return r, err
		}
		for i, s := range servers {
			r.Rows = append(r.Rows, []string{
				fmt.Sprintf("%s, %s bytes", s.label(), markdown.Number(float64(len(body)))), duration(results[i].of(cpu).Median),
				"× " + ranged(results[i].against(results[0], cpu)), "× " + ranged(results[i].against(results[2], cpu)),
				duration(results[i].of(p99).Median),
			})
		}
		if path == "/slow" {
			r.Goals = append(r.Goals, goal{
				Work: "instrumented near hit over HTTP", Against: "nginx proxy_cache hit", Bound: 2.1, Unit: "× CPU",
				Got: results[1].against(results[2], cpu),
			})
		}
	}
	r.Notes = []string{
		nginxVersion() + " is in front of the program, keeps what it answered in memory and repeats it: the same header fields and bytes, with `Server` and `Connection` of its own",
		"It counts nothing, traces nothing, and an `Age` stays what it was",
		"The goal is for the small answer and nginx without a log",
	}
	return r, nil
}
