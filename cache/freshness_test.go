package cache_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vitrine/cache"
)

// storable is section 3.
func (g given) storable() bool {
	_, understand := g.says("must-understand")
	_, noStore := g.says("no-store")
	_, private := g.says("private")
	switch {
	case understand && g.status == 599: // section 5.2.2.3
		return false
	case noStore && !understand, private, g.cookie:
		return false
	}
	return true // or else lifetime is 0
}

// lifetime is freshness_lifetime (section 4.2.1).
func (g given) lifetime(o cache.Options) time.Duration {
	if len(g.age.lines) > 0 && g.age.seconds < 0 {
		return 0 // section 5.1 would have an Age that is none ignored: this is stricter
	}
	for _, name := range []string{"s-maxage", "max-age"} {
		if d, ok := g.says(name); ok {
			return time.Duration(max(d.seconds, 0)) * time.Second // what is no number is stale, as the section encourages
		}
	}
	date, ok := dated(g.date, g.asked)
	if !ok {
		date = g.came // RFC 9110, section 6.6.1
	}
	if len(g.expires) > 0 {
		expires, ok := dated(g.expires, g.asked)
		if !ok {
			return 0 // section 5.3, and several lines are stale as well
		}
		return max(expires.Sub(date), 0)
	}
	_, public := g.says("public")
	cacheable := slices.Contains([]int{200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501}, g.status) // RFC 9110, section 15.1
	modified, ok := dated(g.modified, g.asked)
	switch {
	case ok && o.HTTP.Heuristic > 0 && (cacheable || public): // section 4.2.2
		return min(max(time.Duration(o.HTTP.Heuristic*float64(date.Sub(modified))), 0), 24*time.Hour)
	case cacheable && g.status < 400: // errors are not guessed at
		return o.TTL
	}
	return 0
}

// current is current_age (section 4.2.3). Without an Age field the response is its handler's own: the time that making
// it took does not count as response_delay.
func (g given) current(now time.Time) time.Duration {
	initial := time.Duration(0)
	if date, ok := dated(g.date, g.asked); ok {
		initial = max(g.came.Truncate(time.Second).Sub(date), 0) // apparent_age
	}
	if len(g.age.lines) > 0 {
		initial = max(initial, time.Duration(max(g.age.seconds, 0))*time.Second+g.came.Sub(g.asked)) // corrected_age_value
	}
	return initial + now.Sub(g.came)
}

// fresh tells whether the response may be used again without asking (section 4).
func (g given) fresh(o cache.Options, now time.Time) bool {
	_, noCache := g.says("no-cache")
	return g.storable() && !noCache && g.lifetime(o) > g.current(now)
}

// pause is between two requests: until so long from now, or from when what is kept is no longer fresh.
type pause struct {
	of    time.Duration
	toEnd bool
}

var pauses = rapid.Custom(func(t *rapid.T) pause {
	if rapid.Bool().Draw(t, "to the end") {
		return pause{rapid.SampledFrom([]time.Duration{-1, 0, 1}).Draw(t, "of"), true}
	}
	return pause{rapid.SampledFrom([]time.Duration{
		0, time.Millisecond, 999 * time.Millisecond, time.Second, 6 * time.Second, 59 * time.Second, time.Minute, 10 * time.Minute,
	}).Draw(t, "of"), false}
})

func (p pause) sleep(kept given, o cache.Options) {
	if p.toEnd {
		p.of += kept.lifetime(o) - kept.current(time.Now())
	}
	if p.of <= 2*time.Hour { // what lives longer need not be waited for
		time.Sleep(p.of)
	}
}

// TestFreshness: a response is used again exactly for as long as RFC 9111 allows, and says how old it is. More:
// -rapid.checks=20000.
func TestFreshness(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := scripts.Draw(rt, "origin")
		o := cache.Options{
			TTL:    rapid.SampledFrom([]time.Duration{0, 30 * time.Second, 10 * time.Minute}).Draw(rt, "TTL"),
			HTTP:   cache.HTTP{Heuristic: rapid.SampledFrom([]float64{0, 0.1}).Draw(rt, "heuristic")},
			Tuning: cache.Tuning{NoWhatIf: true},
		}
		all, far := rapid.SliceOfN(pauses, 1, 5).Draw(rt, "pauses"), rapid.Bool().Draw(rt, "far")
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			origin := &scripted{script: s}
			h := over(t, o, far, origin)
			_, kept, _ := origin.get(h)
			for i, p := range all {
				p.sleep(kept, o)
				now := time.Now()
				want, age := kept.fresh(o, now), kept.current(now)
				got, g, reused := origin.get(h)
				if reused != want || reused && got.Header().Get("Age") != strconv.FormatInt(int64(age/time.Second), 10) {
					wrong = append(wrong, fmt.Sprintf("request %d: reused: %t, want %t: age %s of %s: %v", i+2, reused, want, age, kept.lifetime(o), got.Header()))
				}
				kept = g
			}
		})
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
}
