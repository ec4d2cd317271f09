package main

import (
	"encoding/json"
	"strings"
	"testing"

	"vitrine/cache"
	"vitrine/e2e/browser"
)

// call is what a function of one of the page's modules returns for the arguments.
func call[T any](a *atlas, module, function string, args ...any) T {
	a.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		a.Fatal(err)
	}
	return eval[T](a, `import('/assets/%s').then(({%s}) => %[2]s(...%[3]s))`, module, function, text)
}

// TestAtlasReadsAnswers as docs/signals.md spells them, and counts as it should.
func TestAtlasReadsAnswers(t *testing.T) {
	t.Parallel()
	a := visit(t, start(t, nil).url, browser.Phone)
	type reading struct {
		Outcome, Tier string
		Stored        bool
		TTL           *int // nil: none was named
	}
	said := func(status any, ok bool) reading { return call[reading](a, "answer.js", "said", status, ok) }

	statuses := map[string]string{
		"slow; fwd=vary-miss; stored": "miss", "slow; fwd=partial; stored": "miss", "slow; fwd=request; stored": "miss",
		"slow; fwd=uri-miss; detail=too-large": "miss", "nginx; hit; ttl=3, slow; fwd=uri-miss; stored": "miss", "": "bypass",
	}
	for outcome, cells := range listed(t, "Outcomes", "outcome") {
		before := len(statuses)
		for _, words := range quoted(strings.Join(cells[1:], " ")) {
			if strings.HasPrefix(words, "fwd=") {
				words = "slow; " + words
			}
			if strings.HasPrefix(words, "slow; ") {
				statuses[words] = outcome
			}
		}
		if len(statuses) == before {
			t.Errorf("docs/signals.md has no Cache-Status of %s", outcome)
		}
	}
	for status, want := range statuses {
		if got := said(status, want != "rejected"); got.Outcome != want || got.Stored != strings.Contains(status, "stored") {
			t.Errorf("%s: %+v, want %s", status, got, want)
		}
	}
	for _, tier := range []string{"near", "far"} {
		if got := said("slow; hit; ttl=59; detail="+tier, true); got.Tier != tier || got.TTL == nil || *got.TTL != 59 {
			t.Errorf("a hit in %s: %+v", tier, got)
		}
	}
	if got := said(nil, true); got.Outcome != "bypass" || got.Tier != "" || got.TTL != nil {
		t.Errorf("without Cache-Status: %+v", got)
	}
	if got := said("slow; fwd=uri-miss; detail=status", false); got.Outcome != "bypass" {
		t.Errorf("a failure is %+v", got)
	}

	for ms, want := range map[float64]string{
		0: "0 s", .001: "0.01 ms", .5: "0.50 ms", 9.44: "9.4 ms", 12.4: "12 ms", 1500: "1.5 s", 61000: "61 s", 600000: "10 min", 9000000: "2.5 h",
	} {
		if got := call[string](a, "words.js", "duration", ms); got != want {
			t.Errorf("%g ms are %q, want %q", ms, got, want)
		}
	}

	for n, want := range map[int]string{0: "0 s", 119: "119 s", 120: "2 min"} {
		if got := call[string](a, "words.js", "seconds", n); got != want {
			t.Errorf("%d seconds are %q, want %q", n, got, want)
		}
	}

	hits := []durationCount{{8, 1}, {1, 2}, {2, 2}}
	for _, test := range []struct {
		counts []durationCount
		want   float64
	}{{hits, 2}, {hits[:1], 8}, {[]durationCount{{1, 1}, {3, 1}}, 1}} {
		if got := call[float64](a, "minute.js", "median", test.counts); got != test.want {
			t.Errorf("the median of %v is %g, want %g", test.counts, got, test.want)
		}
	}
	type strip struct {
		Asked, Replicas, Loading int
		Ratio, Saved             float64
		Hit, Miss                *float64 // nil: none
	}
	got := call[strip](a, "minute.js", "sumUp", []lastMinute{
		{Answers: map[cache.Outcome]int64{"hit": 5, "stale": 2, "stale_error": 1, "miss": 1, "bypass": 70, "rejected": 80}, SavedSeconds: 1.5, Loading: 2, Hits: hits, Misses: []durationCount{}},
		{Answers: map[cache.Outcome]int64{"hit": 4, "coalesced": 5, "revalidated": 6}, SavedSeconds: .25, Loading: 1, Hits: []durationCount{{16, 9}}, Misses: []durationCount{}},
	})
	if got.Asked != 24 || got.Ratio != .5 || got.Saved != 1750 || got.Loading != 3 || got.Replicas != 2 || got.Hit == nil || *got.Hit != 16 || got.Miss != nil {
		t.Errorf("two replicas are %+v", got)
	}
	if got := call[strip](a, "minute.js", "sumUp", []lastMinute{}); got.Asked != 0 || got.Replicas != 0 {
		t.Errorf("no replica is %+v", got)
	}
}
