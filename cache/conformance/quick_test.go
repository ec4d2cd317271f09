package conformance

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"testing"
	"time"

	"vitrine/cache"
)

func TestServe(t *testing.T) {
	u, _ := url.Parse(os.Getenv("ORIGIN"))
	c, err := cache.New(nil, cache.Options{Name: "vitrine", Stale: cache.Staleness{IfError: time.Minute},
		HTTP: cache.HTTP{Heed: true, Heuristic: .1, Ranges: true, Targeted: []string{"CDN-Cache-Control", "Surrogate-Control"}}})
	if err != nil {
		t.Fatal(err)
	}
	p := httputil.NewSingleHostReverseProxy(u)
	t.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), c.Handler(p)))
}
