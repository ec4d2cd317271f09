package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"vitrine/cache"
)

func postStampede(t *testing.T, url string) (*http.Response, stampeded) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/stampede", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var did stampeded
	if res.StatusCode == http.StatusOK {
		if err := json.NewDecoder(res.Body).Decode(&did); err != nil {
			t.Fatal(err)
		}
	}
	return res, did
}

// TestStampede: one load answers all, and the next stampede has to wait.
func TestStampede(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	res, did := postStampede(t, p.url)
	if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" || len(did.Answers) != crowd {
		t.Fatalf("%d, %v, %d answers", res.StatusCode, res.Header, len(did.Answers))
	}
	loads, last := 0, 0.
	for _, each := range did.Answers {
		if each.Status != http.StatusOK || !strings.Contains(each.ServerTiming, `desc="`+p.instance()+`"`) {
			t.Errorf("%+v", each)
		}
		if strings.HasSuffix(each.CacheStatus, "; stored") {
			loads++
		} else if !strings.HasSuffix(each.CacheStatus, "; collapsed") && !strings.Contains(each.CacheStatus, "; hit") {
			t.Errorf("%s", each.CacheStatus)
		}
		last = max(last, each.Took)
	}
	if got := p.caches.tiles.Stats().Answers; loads != 1 || got[cache.Miss] != 1 || got[cache.Coalesced]+got[cache.Hit] != crowd-1 || last > did.Took {
		t.Errorf("%d loads, answers %v, the last after %g of %g ms; want one load", loads, got, last, did.Took)
	}
	if res, _ := postStampede(t, p.url); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "3" {
		t.Errorf("at once the next got %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}

// TestStampedePause: none begins while one runs, however long that takes, nor soon after.
func TestStampedePause(t *testing.T) {
	now := time.Now()
	s := new(stampede)
	check := func(after time.Duration, want bool) {
		t.Helper()
		if got := s.begins(now.Add(after)); got != want {
			t.Errorf("after %s: %t", after, got)
		}
	}
	check(0, true)
	check(time.Hour, false)
	s.ends(now.Add(time.Hour))
	check(time.Hour+stampedeEvery-1, false)
	check(time.Hour+stampedeEvery, true)
}

// TestStampedeWithoutAnswers tells that there were none.
func TestStampedeWithoutAnswers(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_UPSTREAM_URL": "http://127.0.0.1:1"})
	res, did := postStampede(t, p.url)
	if res.StatusCode != http.StatusOK || len(did.Answers) != crowd {
		t.Fatalf("%d, %d answers", res.StatusCode, len(did.Answers))
	}
	for _, each := range did.Answers {
		if each.Status != 0 || each.CacheStatus != "" {
			t.Fatalf("%+v from nobody", each)
		}
	}
}

// TestColdTile: it is one that there is, and worth a load.
func TestColdTile(t *testing.T) {
	for range 100 {
		c := coldTile()
		if c.z != 24 || min(c.x, c.y) < 0 || max(c.x, c.y) >= 1<<24 {
			t.Fatal(c)
		}
		if mean, _ := c.stats(); mean < 30 {
			t.Errorf("%v: %g steps", c, mean)
		}
	}
}
