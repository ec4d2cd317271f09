package cache

import (
	"net/http"
	"net/url"
	"testing"
)

// FuzzKey: a response's key is one that PurgeKey takes, and the request that the origin is shown has it too.
func FuzzKey(f *testing.F) {
	for _, target := range []string{"", "/", "/a?b=2&a=1&b=1", "/a?%zz", "/%61%2fb", "/a%2Fb?q=;x", "/%", "//b", "/a?", "/ü?ü=%C3%BC"} {
		f.Add("host:8080", target)
		f.Add("HOST", target)
	}
	all, some := &Cache{}, &Cache{opts: Options{HTTP: HTTP{Query: []string{"a"}}}}
	f.Fuzz(func(t *testing.T, host, target string) {
		u, err := url.Parse("http://" + host + target)
		if err != nil || u.Opaque != "" || u.Path != "" && u.Path[0] != '/' {
			t.Skip()
		}
		for _, c := range []*Cache{all, some} {
			r := &http.Request{Method: "GET", URL: u, Host: u.Host, Header: http.Header{}}
			k := c.responseKey(r)
			if parsed, err := c.parseKey(k.String()); err != nil || parsed != k {
				t.Errorf("%q is read as %+v, %v; want %+v", k, parsed, err, k)
			}
			if shown := c.originRequest(r, false); c.responseKey(shown) != k {
				t.Errorf("%s, shown as %s: %+v, want %+v", u, shown.URL, c.responseKey(shown), k)
			}
		}
	})
}
