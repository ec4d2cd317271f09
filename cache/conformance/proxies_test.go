package conformance

import (
	"bytes"
	"context"
	_ "embed"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"text/template"
	"time"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// vitrine serves what origin does from a cache.Handler around a reverse proxy, at the URL it returns.
func vitrine(t *testing.T, origin *url.URL) string {
	t.Helper()
	c, err := cache.New(nil, cache.Options{Name: "vitrine", HTTP: cache.HTTP{
		Heed:      true,
		Heuristic: .1,
		Ranges:    true,
		Targeted:  []string{"CDN-Cache-Control", "Surrogate-Control"},
	}, Limits: cache.Limits{
		LoadTimeout: 5 * time.Minute, // a busy machine is no fault of the cache's
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(origin) },
		// Some answers of the suite are longer than they say: what is left over must be no other test's answer.
		Transport: &http.Transport{DisableKeepAlives: true},
		ErrorLog:  log.New(t.Output(), "", 0),
	}
	server := httptest.NewServer(c.Handler(proxy))
	t.Cleanup(server.Close)
	return server.URL
}

//go:embed nginx.conf.tmpl
var nginxConf string

// nginx does so from nginx' cache, and returns its version too.
func nginx(t *testing.T, origin *url.URL) (base, version string) {
	t.Helper()
	path, dir := component.Command(t, "nginx"), t.TempDir()
	out, err := exec.Command(path, "-v").CombinedOutput()
	m := regexp.MustCompile(`nginx/([0-9.]+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("nginx -v: %v\n%s", err, out)
	}

	// nginx is handed its socket as an old one of it would do: the port is its own from the start, and what
	// connects before it is ready waits.
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	var conf bytes.Buffer
	err = template.Must(template.New("nginx").Parse(nginxConf)).Execute(&conf, map[string]any{
		"Root": os.Geteuid() == 0, "Listen": l.Addr(), "Origin": origin.Host,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, conf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-p", dir, "-c", file)
	cmd.Env = append(os.Environ(), "NGINX=3;")
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Stderr = t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends its workers
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended it
	return "http://" + l.Addr().String(), string(m[1])
}
