package nginx_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/e2e/component"
)

// balancer is an nginx with nginx.conf in front of upstreams of the test's own. Only where it listens, whom it asks and
// where it keeps files is changed.
type balancer struct {
	url   string
	inner string // the port for replicas
	log   string // of access, a file
}

// settings are those of the balancer that are not of nginx.conf.
type settings struct {
	balance string // a file's text; empty: in turn, so that a test knows who is next
	trust   string // VITRINE_TRUST_TRACEPARENT
	other   map[string]string
}

func startBalancer(t testing.TB, with settings, upstreams ...http.Handler) balancer {
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
	var at []string
	for _, h := range upstreams {
		l := listen()
		srv := &http.Server{Handler: h}
		go func() { _ = srv.Serve(l) }() // until it is closed
		t.Cleanup(func() { srv.Close() })
		at = append(at, l.Addr().String())
	}
	for _, how := range []string{"max_fails=3 fail_timeout=2s;", "max_fails=0;"} {
		var servers strings.Builder
		for _, addr := range at {
			fmt.Fprintf(&servers, "server %s %s\n", addr, how)
		}
		replace("server service:8080 resolve "+how, servers.String())
	}
	replace("include /etc/vitrine/balance.conf;", with.balance)
	replace("worker_processes 2;", "worker_processes 1; daemon off;")
	if os.Geteuid() == 0 {
		replace("daemon off;", "daemon off; user root;") // the directory is closed to others
	}
	for old, new := range with.other {
		replace(old, new)
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
	site, err := os.ReadFile("site.conf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "site.conf"), site, 0o600); err != nil {
		t.Fatal(err)
	}
	hook := exec.Command("./otel.sh")
	hook.Env = append(os.Environ(), "OTEL_DIR="+filepath.Join(dir, "otel"), "VITRINE_TRUST_TRACEPARENT="+with.trust)
	if out, err := hook.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	component.Nginx(t, dir, text, public, inner, status)
	return balancer{"http://" + public.Addr().String(), "http://" + inner.Addr().String(), filepath.Join(dir, "access.log")}
}

// ask is one request; it says what came of it.
func (b balancer) ask(t testing.TB, method, address string, header http.Header, body string) (status int, got http.Header, text string, err error) {
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
