package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"vitrine/e2e/component"
)

// post sends a form to the operations listener, and follows no redirect.
func (p *program) post(t *testing.T, form url.Values, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.opsURL+"/debug/cache/purge", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

func (p *program) cacheViews(t *testing.T) map[string]cacheView {
	t.Helper()
	a := get(t, p.opsURL+"/debug/cache", "Accept", "application/json")
	a.want(t, http.StatusOK, "application/json")
	var all cachesView
	a.json(t, &all)
	views := map[string]cacheView{}
	for _, v := range all.Caches {
		views[v.Name] = v
	}
	return views
}

func TestDebugCache(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms", "VITRINE_CACHE_TTL": "1h"})
	for range 3 {
		get(t, p.url+"/slow", "Host", "a&b")
		get(t, p.url+"/stats/2/1/1")
	}
	slow := p.cacheViews(t)["slow"]
	if len(slow.Hottest) != 1 || slow.Entries != 1 || slow.Bytes <= 0 || slow.Capacity != 4<<20 || slow.Requests != 3 || len(slow.WhatIf) != 6 {
		t.Fatalf("%+v", slow)
	}
	hot := slow.Hottest[0]
	if hot.Key != "r:a&b/slow" || hot.Hits != 2 || hot.TTL <= 3500 || hot.Cost < .001 || hot.Saved != 2*hot.Cost || hot.Bytes != slow.Bytes {
		t.Errorf("%+v", hot)
	}
	page := get(t, p.opsURL+"/debug/cache?n=1")
	page.want(t, http.StatusOK, "text/html")
	for _, want := range []string{`value="r:a&amp;b/slow"`, `value="v:2/1/1"`, "× 0.25", "100.0 %"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("%s is missing in\n%s", want, page.body)
		}
	}
	if csp := page.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self';") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	get(t, p.opsURL+"/debug/cache.css").want(t, http.StatusOK, "text/css")
	get(t, p.url+"/debug/cache").want(t, http.StatusNotFound, "text/plain")
	for _, n := range []string{"-1", "1001", "x"} {
		get(t, p.opsURL+"/debug/cache?n="+n).want(t, http.StatusBadRequest, "application/problem+json")
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms", "VITRINE_CACHE_TTL": "1h"})
	status := func() string { return spelled(get(t, p.url+"/slow", "Host", "a").Header.Get("Cache-Status")) }
	status()
	key := p.cacheViews(t)["slow"].Hottest[0].Key
	for _, step := range []struct {
		desc   string
		form   url.Values
		header []string
		status int
		then   string
	}{
		{"of another origin", url.Values{"cache": {"slow"}, "key": {key}}, []string{"Sec-Fetch-Site", "cross-site"}, 403, "hit near"},
		{"no such cache", url.Values{"cache": {"fast"}, "key": {key}}, nil, 404, "hit near"},
		{"no such key", url.Values{"cache": {"slow"}, "key": {"r:b/slow"}}, nil, 204, "hit near"},
		{"no key", url.Values{"cache": {"slow"}}, nil, 400, "hit near"},
		{"a program", url.Values{"cache": {"slow"}, "key": {key}}, nil, 204, "miss none"},
		{"no such tag", url.Values{"cache": {"slow"}, "tag": {"another"}}, nil, 204, "hit near"},
		{"a key and a tag", url.Values{"cache": {"slow"}, "key": {key}, "tag": {"a"}}, nil, 400, "hit near"},
		{"half a form", url.Values{"cache": {"slow"}, "all": {"true"}, "soft": {"%zz"}}, nil, 400, "hit near"},
		{"two keys", url.Values{"cache": {"slow"}, "key": {key, key}}, nil, 400, "hit near"},
		{"all, perhaps", url.Values{"cache": {"slow"}, "all": {"perhaps"}}, nil, 400, "hit near"},
		{"all of another cache", url.Values{"cache": {"tiles"}, "all": {"true"}}, nil, 204, "hit near"},
		{"all", url.Values{"cache": {"slow"}, "all": {"true"}}, nil, 204, "miss none"},
		{"all, softly", url.Values{"cache": {"slow"}, "all": {"true"}, "soft": {"true"}}, nil, 204, "stale"},
		{"a browser", url.Values{"cache": {"slow"}, "key": {key}}, []string{"Accept", "text/html", "Sec-Fetch-Site", "same-origin"}, 303, "miss none"},
	} {
		if res := p.post(t, step.form, step.header...); res.StatusCode != step.status {
			t.Errorf("%s: status %d, want %d", step.desc, res.StatusCode, step.status)
		}
		if got := status(); got != step.then {
			t.Errorf("%s: then %s, want %s", step.desc, got, step.then)
		}
	}
}

// TestPurgeByTag: what is known of a level of tiles is purged by its tag.
func TestPurgeByTag(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_CACHE_TTL": "1h"})
	for _, want := range []string{"miss none", "hit near"} {
		for _, tile := range []string{"/tiles/1/0/0", "/tiles/2/0/0"} {
			if got := spelled(get(t, p.url+tile).Header.Get("Cache-Status")); got != want {
				t.Errorf("%s: %s, want %s", tile, got, want)
			}
		}
	}
	if res := p.post(t, url.Values{"cache": {"tiles"}, "tag": {"zoom:1", "zoom:9"}}); res.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", res.StatusCode)
	}
	for tile, want := range map[string]string{"/tiles/1/0/0": "miss none", "/tiles/2/0/0": "hit near"} {
		if got := spelled(get(t, p.url+tile).Header.Get("Cache-Status")); got != want {
			t.Errorf("%s: %s after the purge of its neighbours, want %s", tile, got, want)
		}
	}
}

// TestPurgeWithoutRedis: this process has purged, and Redis is told when it is back.
func TestPurgeWithoutRedis(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	p := start(t, map[string]string{"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": server.URL(), "VITRINE_SLOW_DELAY": "1ms"})
	status := func() string { return spelled(get(t, p.url+"/slow").Header.Get("Cache-Status")) }
	status()
	key := p.cacheViews(t)["slow"].Hottest[0].Key
	server.Kill()
	if res := p.post(t, url.Values{"cache": {"slow"}, "key": {key}}); res.StatusCode != http.StatusAccepted {
		t.Errorf("status %d, want 202", res.StatusCode)
	}
	if got := status(); got != "miss none" {
		t.Errorf("%s after the purge", got)
	}
	server.Start()
	eventually(t, "Redis in use again", func() bool {
		return strings.Contains(get(t, p.opsURL+"/metrics").body, `cache_breaker_state{cache="slow",store="redis"} 0`)
	})
}
