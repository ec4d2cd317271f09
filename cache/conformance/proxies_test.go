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
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var conf bytes.Buffer
	err = template.Must(template.New("nginx").Parse(nginxConf)).Execute(&conf, map[string]any{
		"Root": os.Geteuid() == 0, "Listen": l.Addr(), "Origin": origin.Host,
	})
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + l.Addr().String(), component.Nginx(t, t.TempDir(), conf.String(), l)
}
