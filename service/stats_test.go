package main

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func statsOf(t *testing.T, p *program, tile string) (s tileStatistics) {
	t.Helper()
	a := get(t, p.url+"/stats/"+tile)
	a.want(t, http.StatusOK, "application/json")
	a.json(t, &s)
	if s.Tile != tile || s.ComputedAt.IsZero() || s.Instance == "" {
		t.Errorf("stats of %s: %+v", tile, s)
	}
	return s
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

// TestStatsAreMeans: the whole is the mean of its parts, asked for and computed.
func TestStatsAreMeans(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	whole := statsOf(t, p, "0/0/0")
	var mean, share float64
	for _, child := range []string{"1/0/0", "1/1/0", "1/0/1", "1/1/1"} {
		s := statsOf(t, p, child)
		mean += s.MeanIterations / 4
		share += s.SetShare / 4
	}
	if !near(whole.MeanIterations, mean) || !near(whole.SetShare, share) {
		t.Errorf("the whole is %v %v, the mean of its children %v %v", whole.MeanIterations, whole.SetShare, mean, share)
	}
	mean, share = 0, 0
	for x := range 4 {
		for y := range 4 {
			m, s := tile{2, x, y}.stats()
			mean += m / 16
			share += s / 16
		}
	}
	if !near(whole.MeanIterations, mean) || !near(whole.SetShare, share) {
		t.Errorf("the whole is %v %v, the mean of the leaves %v %v", whole.MeanIterations, whole.SetShare, mean, share)
	}
	// The set's area is 1.5066 (OEIS A098403), the map's 9.
	if math.Abs(whole.SetShare-1.5066/9) > .01 {
		t.Errorf("the set has %v of the map, want about %v", whole.SetShare, 1.5066/9)
	}
}

// TestStatsGoTwoLevelsDown: however deep a tile lies, asking for it asks for its children and theirs at most.
func TestStatsGoTwoLevelsDown(t *testing.T) {
	t.Parallel()
	for z, want := range []map[string]int{
		{"1": 4, "2": 16}, {"2": 4}, {}, {"4": 4, "5": 16}, {"5": 4},
		maxZoom - 2: {"28": 4, "29": 16}, maxZoom - 1: {"29": 4}, maxZoom: {},
	} {
		if want == nil {
			continue
		}
		t.Run(fmt.Sprintf("level %d", z), func(t *testing.T) {
			b := startBalancer(t)
			p := start(t, map[string]string{"VITRINE_UPSTREAM_URL": b.URL})
			b.before(t, p)
			statsOf(t, p, fmt.Sprintf("%d/0/0", z))
			if got := b.levels(); !maps.Equal(got, want) {
				t.Errorf("requests at the upstream by level: %v, want %v", got, want)
			}
			statsOf(t, p, fmt.Sprintf("%d/0/0", z))
			if got := b.levels(); !maps.Equal(got, want) {
				t.Errorf("after a second request: %v, want %v", got, want)
			}
		})
	}
}

// TestStatsUpstreamFails: a leaf needs no upstream; the others say that they do not have what they need.
func TestStatsUpstreamFails(t *testing.T) {
	t.Parallel()
	broken := startBalancer(t)
	broken.Config.Handler = http.NotFoundHandler()
	for desc, upstream := range map[string]string{
		"refused": "http://user:s3cret@127.0.0.1:1",
		"404":     strings.Replace(broken.URL, "://", "://user:s3cret@", 1),
	} {
		t.Run(desc, func(t *testing.T) {
			p := start(t, map[string]string{"VITRINE_UPSTREAM_URL": upstream})
			statsOf(t, p, "2/1/1")

			a := get(t, p.url+"/stats/0/0/0")
			a.want(t, http.StatusBadGateway, "application/problem+json")
			if strings.Contains(a.body, "127.0.0.1") || a.Header["Traceresponse"] == nil {
				t.Errorf("want an answer that names its trace and not the upstream: %s", a.body)
			}
			p.stop(t)
			lines := p.logs.Records(t, "stats")
			if len(lines) != 1 || lines[0]["level"] != "ERROR" || lines[0]["tile"] != "0/0/0" || lines[0]["trace_id"] == nil {
				t.Errorf("want one error in the log that names tile and trace: %v", lines)
			}
			if strings.Contains(p.logs.String(), "s3cret") {
				t.Error("the upstream's password is in the log")
			}
		})
	}
}

// TestStatsRecursionDoesNotDeadlock: loads that wait for other loads of this same process, at once.
func TestStatsRecursionDoesNotDeadlock(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	var group sync.WaitGroup
	for i := range 64 {
		// The map's corner: no point of it takes more than a few steps.
		group.Go(func() {
			a, err := try(t, http.MethodGet, fmt.Sprintf("%s/stats/6/%d/%d", p.url, i%8, i/8))
			if err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	group.Wait()
}

// TestStatsOnce: many ask for one cold tile, and each of its parts is asked for once.
func TestStatsOnce(t *testing.T) {
	t.Parallel()
	b := startBalancer(t)
	p := start(t, map[string]string{"VITRINE_UPSTREAM_URL": b.URL})
	b.before(t, p)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if a, err := try(t, http.MethodGet, p.url+"/stats/0/0/0"); err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	group.Wait()
	if got, want := b.levels(), map[string]int{"1": 4, "2": 16}; !maps.Equal(got, want) {
		t.Errorf("requests at the upstream by level: %v, want %v", got, want)
	}
}
