package cache_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// staleOptions draws options with which Handler may serve as much as it ever may.
var staleOptions = rapid.Custom(func(t *rapid.T) cache.Options {
	window := rapid.SampledFrom([]time.Duration{0, 30 * time.Second, time.Hour})
	return cache.Options{
		TTL: rapid.SampledFrom([]time.Duration{0, 30 * time.Second, 10 * time.Minute}).Draw(t, "TTL"),
		Stale: cache.Staleness{
			WhileRevalidate: window.Draw(t, "while revalidate"),
			IfError:         window.Draw(t, "if error"),
			SoftTimeout:     rapid.SampledFrom([]time.Duration{0, 200 * time.Millisecond}).Draw(t, "soft timeout"),
		},
		HTTP:   cache.HTTP{Heuristic: rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "heuristic")},
		Tuning: cache.Tuning{NoWhatIf: true},
	}
})

// demands draws what a request's Cache-Control asks for, or its Pragma.
var demands = rapid.SliceOfN(rapid.SampledFrom([]string{
	"no-cache", "No-Store", "max-age=0", "max-age=5", "max-stale", "max-stale=10", "min-fresh=100", "only-if-cached", "no-transform",
	"stale-if-error=1000", `x="a, b"`, "max-age", "=", `"`, "s-maxage=100", "private", "public",
}), 0, 3)

func demanding(demands []string, pragma bool) (header []string) {
	for _, d := range demands {
		header = append(header, "Cache-Control", d)
	}
	if pragma {
		header = append(header, "Pragma", "no-cache")
	}
	return header
}

// with has d stand somewhere among the script's directives.
func (s script) with(t *rapid.T, d directive) script {
	s.control = slices.Insert(slices.Clone(s.control), rapid.IntRange(0, len(s.control)).Draw(t, "place of "+d.text), d)
	return s
}

// over is a handler over o, in a bubble of its own.
func over(t *testing.T, o cache.Options, far bool, origin http.Handler) http.Handler {
	if far {
		return newCache(t, new(storetest.Memory), o).Handler(origin)
	}
	return newCache(t, nil, o).Handler(origin)
}

// TestOnesOwnIsNeverReused: whatever else a response says, with no-store, private or a cookie it goes to one client, who
// need not be the only one at that moment.
func TestOnesOwnIsNeverReused(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := scripts.Filter(func(s script) bool {
			_, understand := s.says("must-understand") // it takes the place of no-store (RFC 9111, section 5.2.2.3)
			return !understand
		}).Draw(rt, "origin")
		d := rapid.SampledFrom([]directive{
			{text: "no-store", name: "no-store"}, {text: "No-Store=x", name: "no-store"}, {text: "private", name: "private"}, {text: `PRIVATE=""`, name: "private"}, {},
		}).Draw(rt, "added")
		if s.cookie = d.text == ""; !s.cookie {
			s = s.with(rt, d)
		}
		o, far := staleOptions.Draw(rt, "options"), rapid.Bool().Draw(rt, "far")
		crowds := rapid.SliceOfN(rapid.IntRange(1, 3), 2, 4).Draw(rt, "crowds")
		all := rapid.SliceOfN(pauses, 4, 4).Draw(rt, "pauses")
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			origin := &scripted{script: s}
			h := over(t, o, far, origin)
			var mu sync.Mutex
			seen := make(map[string]bool)
			for i, n := range crowds {
				all[i].sleep(given{}, o)
				var crowd sync.WaitGroup
				for range n {
					crowd.Go(func() {
						got, _, reused := origin.get(h)
						mu.Lock()
						defer mu.Unlock()
						if which := got.Header().Get("X-Answer"); reused || seen[which] || which == "" {
							wrong = append(wrong, fmt.Sprintf("crowd %d: answer %q again: %v", i, which, got.Header()))
						} else {
							seen[which] = true
						}
					})
				}
				crowd.Wait()
			}
		})
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
}

// TestMustRevalidate: what says so is never served stale, though its origin fails, and whoever else would have it.
func TestMustRevalidate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := scripts.Draw(rt, "origin")
		s = s.with(rt, directive{text: rapid.SampledFrom([]string{"must-revalidate", "MUST-REVALIDATE", "proxy-revalidate", "must-revalidate=x"}).Draw(rt, "said")})
		for _, text := range rapid.SliceOfN(rapid.SampledFrom([]string{"stale-while-revalidate=100", "stale-if-error=1000"}), 0, 2).Draw(rt, "windows") {
			s = s.with(rt, directive{text: text})
		}
		o, far := staleOptions.Draw(rt, "options"), rapid.Bool().Draw(rt, "far")
		all := rapid.SliceOfN(pauses, 2, 6).Draw(rt, "pauses")
		good := rapid.IntRange(1, len(all)).Draw(rt, "good")
		header := demanding(demands.Draw(rt, "demands"), false)
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			origin := &scripted{script: s}
			h := over(t, o, far, origin)
			_, kept, _ := origin.get(h)
			for i, p := range all {
				if i == good {
					origin.mu.Lock()
					origin.script = script{status: http.StatusServiceUnavailable, takes: s.takes}
					origin.mu.Unlock()
				}
				p.sleep(kept, o)
				now := time.Now()
				got, g, reused := origin.get(h, header...)
				if reused && !g.fresh(o, now) {
					wrong = append(wrong, fmt.Sprintf("request %d: its age is %s of %s: %v", i+2, g.current(now), g.lifetime(o), got.Header()))
				}
				if g.status == s.status {
					kept = g
				}
			}
		})
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
}

// TestDemandsAreOnesOwn: what one client's request asks for changes nothing of what another gets, who comes before its
// answer, or later.
func TestDemandsAreOnesOwn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, o, far := scripts.Draw(rt, "origin"), staleOptions.Draw(rt, "options"), rapid.Bool().Draw(rt, "far")
		header := demanding(demands.Draw(rt, "demands"), rapid.Bool().Draw(rt, "pragma"))
		warm := rapid.Bool().Draw(rt, "warm")
		all := rapid.SliceOfN(pauses, 2, 2).Draw(rt, "pauses")
		// other is what the other gets, and whether that was there before, and had to be.
		other := func(first bool) (got string, reused bool) {
			synctest.Test(t, func(t *testing.T) {
				origin := &scripted{script: s}
				h := over(t, o, far, origin)
				var kept given
				if warm {
					_, kept, _ = origin.get(h)
				}
				all[0].sleep(kept, o)
				if first {
					go origin.get(h, header...)
					synctest.Wait()
				}
				all[1].sleep(kept, o)
				now := time.Now()
				w, g, again := origin.get(h)
				for _, name := range []string{"Age", "Cache-Status", "Date", "Expires", "Last-Modified", "X-Answer"} {
					w.Header().Del(name) // they tell one time from another
				}
				got, reused = fmt.Sprintln(w.Code, w.Header(), w.Body), again
				if g.came.Before(now) && o.Stale.WhileRevalidate+o.Stale.IfError == 0 && !g.fresh(o, now) {
					got += "stale"
				}
				time.Sleep(10 * time.Second) // what the first has begun ends
			})
			return got, reused
		}
		alone, reused := other(false)
		got, again := other(true)
		if got != alone || reused && !again {
			rt.Fatalf("%sreused: %t; without the first %sreused: %t", got, again, alone, reused)
		}
	})
}
