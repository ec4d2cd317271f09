package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vitrine/cache"
)

// TestMinute: it is of the last sixty seconds, and of what caches answered.
func TestMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c caches
		for name, each := range map[string]**cache.Cache{"slow": &c.slow, "tiles": &c.tiles, "stats": &c.stats} {
			var err error
			if *each, err = cache.New(nil, cache.Options{Name: name, TTL: time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
		defer c.close(t.Context())
		mux := http.NewServeMux()
		mux.Handle("/slow", c.slow.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(2 * time.Second)
			_, _ = io.WriteString(w, "slow")
		})))
		m := newMinute(c, "me")
		h := m.handler(mux)
		ask := func(path string) {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		}
		last := func() (l lastMinute) {
			t.Helper()
			w := httptest.NewRecorder()
			m.serve(w, nil)
			if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil || w.Header().Get("Cache-Control") != "no-store" {
				t.Fatal(err, w.Header())
			}
			maps.DeleteFunc(l.Answers, func(_ cache.Outcome, n int64) bool { return n == 0 })
			return l
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go m.watch(ctx)

		go ask("/slow")
		go ask("/slow")
		time.Sleep(1500 * time.Millisecond)
		if l := last(); l.Loading != 1 || l.Seconds != 1 || l.Instance != "me" {
			t.Errorf("while it loads: %+v", l)
		}
		time.Sleep(time.Second)
		ask("/slow")
		ask("/slow")
		ask("/nothing")
		time.Sleep(time.Second)
		l := last()
		if want := map[cache.Outcome]int64{cache.Miss: 1, cache.Coalesced: 1, cache.Hit: 2}; !maps.Equal(l.Answers, want) {
			t.Errorf("answers %v, want %v", l.Answers, want)
		}
		if l.SavedSeconds != 4 || l.Loading != 0 || l.Seconds != 3 {
			t.Errorf("saved %g s, loading %d, in %g s; want 4, 0 and 3", l.SavedSeconds, l.Loading, l.Seconds)
		}
		if len(l.Hits) != 1 || l.Hits[0].Count != 2 || l.Hits[0].Milliseconds > .01 ||
			len(l.Misses) != 1 || l.Misses[0].Count != 1 || l.Misses[0].Milliseconds < 2000 || l.Misses[0].Milliseconds > 2600 {
			t.Errorf("durations of hits %v, of misses %v; want two of nothing and one of 2 s", l.Hits, l.Misses)
		}
		time.Sleep(57 * time.Second)
		if l := last(); l.Seconds != 60 || l.Answers[cache.Hit] != 2 {
			t.Errorf("a minute after the start: %+v", l)
		}
		time.Sleep(4 * time.Second)
		if l := last(); l.Seconds != 60 || len(l.Answers) != 0 || l.SavedSeconds != 0 || len(l.Hits) != 0 || len(l.Misses) != 0 {
			t.Errorf("a minute after all that: %+v", l)
		}
	})
}

// TestMinuteIsServed: the running program counts what it answers, at hand or not.
func TestMinuteIsServed(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms"})
	for range 4 {
		get(t, p.url+"/slow")
	}
	var l lastMinute
	eventually(t, "a miss and three hits", func() bool {
		l = lastMinute{}
		if err := json.Unmarshal([]byte(get(t, p.url+"/minute").body), &l); err != nil {
			t.Fatal(err)
		}
		return l.Answers[cache.Miss] == 1 && l.Answers[cache.Hit] == 3
	})
	var hits uint64
	for _, each := range l.Hits {
		hits += each.Count
	}
	if hits != 3 || len(l.Misses) != 1 || l.SavedSeconds <= 0 || l.Instance != p.instance() {
		t.Errorf("%+v", l)
	}
}

// TestDurations: a duration is in the bucket that ends above it, by no more than a quarter.
func TestDurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := time.Duration(rapid.Int64Range(-1, int64(time.Minute)).Draw(t, "took"))
		var d durations
		before := d.counts()
		d.add(took)
		got := between(before, d.counts())
		if len(got) != 1 || got[0].Count != 1 {
			t.Fatalf("%v, want one", got)
		}
		us := float64(max(took, 0).Microseconds())
		if end := got[0].Milliseconds * 1000; end <= us || end > us*1.25+2 {
			t.Errorf("%s is in the bucket that ends at %g µs", took, end)
		}
	})
	var d durations
	d.add(24 * time.Hour) // longer than any request lasts
	if got := between([durationBuckets]uint64{}, d.counts()); len(got) != 1 || got[0].Milliseconds < 60_000 {
		t.Errorf("%v, want it in the last bucket", got)
	}
}
