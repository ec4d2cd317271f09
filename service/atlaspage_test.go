package main

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"vitrine/cache"
	"vitrine/e2e/browser"
)

var tilePath = regexp.MustCompile(`/tiles/\d+/\d+/\d+`)

// label is what a tile says.
type label struct{ Path, Outcome, Said, Small string }

func (a *atlas) labels() []label {
	a.Helper()
	return eval[[]label](a, `[...document.querySelectorAll('.tile')].map(tile => ({
		Path: tile.dataset.path, Outcome: tile.dataset.outcome,
		Said: tile.querySelector('.label b').textContent, Small: tile.querySelector('.label span').textContent,
	}))`)
}

// TestAtlas: each tile in view says how it was answered: when it is new, when it is kept, and after it has been asked for again.
func TestAtlas(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	f := newFront(t, p)
	a := visit(t, f.URL, browser.Desk)
	check := func(when, want string) {
		t.Helper()
		a.drawn()
		labels, seen := a.labels(), f.seen()
		if len(labels) < 12 {
			t.Errorf("%s: %d tiles", when, len(labels))
		}
		for _, l := range labels {
			if outcome, _, _ := strings.Cut(want, " "); l.Outcome != outcome || l.Said != want {
				t.Errorf("%s: %+v, want %s", when, l, want)
			}
			h := seen[l.Path]
			timing := regexp.MustCompile(`^app;dur=([\d.]+);desc="(.*)"$`).FindStringSubmatch(h.Get("Server-Timing"))
			// Of what takes less than a hundredth of a millisecond Server-Timing says 0.00.
			if small := eval[string](a, `import('/assets/words.js').then(({duration, short}) =>
				[duration(Number(%q) || 0.01), ...(%q ? [%[2]q + ' s old'] : []), short(%[3]q)].join(' · '))`, timing[1], h.Get("Age"), timing[2]); l.Small != small {
				t.Errorf("%s: %s says %q, want %q: %v", when, l.Path, l.Small, small, h)
			}
		}
	}
	check("at first", "miss")
	a.do(chromedp.Reload())
	check("after a reload", "hit near")
	if err := p.caches.tiles.PurgeTags(t.Context(), cache.Soft, "zoom:2"); err != nil {
		t.Fatal(err)
	}
	a.do(chromedp.Click(chromedp.CSS("#again")))
	a.until(`[...document.querySelectorAll('.tile')].every(tile => tile.dataset.outcome === 'stale')`)
	check("asked again", "stale")
}

// TestAtlasStrip: the strip says what GET /minute does.
func TestAtlasStrip(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a := visit(t, p.url, browser.Desk)
	if before := a.text("#ratio"); before != "–" && before != "0.0 %" {
		t.Errorf("a ratio of %s without a hit", before)
	}
	a.drawn()
	for range 3 {
		a.do(chromedp.Reload())
		a.drawn()
	}
	eventually(t, "a strip that says what /minute does", func() bool {
		var l lastMinute
		get(t, p.url+"/minute").json(t, &l)
		want := 100 * float64(l.Answers[cache.Hit]) / float64(l.Answers[cache.Hit]+l.Answers[cache.Miss])
		got, err := strconv.ParseFloat(strings.TrimSuffix(a.text("#ratio"), " %"), 64)
		return err == nil && l.Answers[cache.Hit] >= 3*12 && got >= want-.5 && got <= want+.5 && a.text("#replicas") == "1"
	})
	for _, id := range []string{"saved", "hit-p50", "miss-p50"} {
		if text := a.text("#" + id); !regexp.MustCompile(`^[\d.]+ (ms|s|min)$`).MatchString(text) {
			t.Errorf("%s is %q", id, text)
		}
	}
}

// tileAt is where the middle of the window's first whole tile is, and its path.
type tileAt struct {
	X, Y float64
	Path string
}

func (a *atlas) tileInView() tileAt {
	a.Helper()
	return eval[tileAt](a, `[...document.querySelectorAll('.tile')].map(tile => {
		const {left, top} = tile.getBoundingClientRect();
		return {X: left + 128, Y: top + 128, Path: tile.dataset.path};
	}).find(({X, Y, Path}) => document.elementFromPoint(X, Y)?.closest('.tile')?.dataset.path === Path)`)
}

// tileInMiddle is the path of the one in the middle of the map.
func (a *atlas) tileInMiddle() string {
	a.Helper()
	return eval[string](a, `(() => {
		const map = document.querySelector('#map').getBoundingClientRect(), x = map.x + map.width / 2, y = map.y + map.height / 2;
		return document.elementsFromPoint(x, y).find(element => element.matches('.tile')).dataset.path;
	})()`)
}

// links are those of the panel, by their words.
func (a *atlas) links() map[string]string {
	a.Helper()
	return eval[map[string]string](a, `Object.fromEntries([...document.querySelectorAll('#panel a')].map(a => [a.textContent, a.href]))`)
}

// TestAtlasTile: the panel leads to the trace that the request's access line names, and to its route.
func TestAtlasTile(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_JAEGER_URL": "http://jaeger.example:16686", "VITRINE_GRAFANA_URL": "http://grafana.example/g", "VITRINE_LOG_HITS": "all"})
	a := visit(t, p.url, browser.Desk)
	a.drawn()
	at := a.tileInView()
	a.do(chromedp.MouseClickXY(at.X, at.Y))
	a.until(`document.querySelector('#panel h2')?.innerText === %q && document.activeElement.matches('#panel h2')`, at.Path)
	// Asking again is another request, of another trace.
	first := a.links()["its trace in Jaeger"]
	a.do(chromedp.Click(chromedp.CSS("#panel dl + p + p button")))
	a.until(`document.querySelector('#panel .swatch').innerText === 'hit near'`)
	links := a.links()
	if a.text("#panel h2") != at.Path || links["its trace in Jaeger"] == first {
		t.Errorf("asked again: %s, the trace is %s and was %s", a.text("#panel h2"), links["its trace in Jaeger"], first)
	}
	if want := "http://grafana.example/g/d/vitrine-service?var-route=" + url.QueryEscape("/tiles/{z}/{x}/{y}") + "&"; !strings.HasPrefix(links["its route in Grafana"], want) {
		t.Errorf("the link to Grafana is %s, want %s…", links["its route in Grafana"], want)
	}
	a.leave()
	p.stop(t)
	var traces []string
	for _, line := range p.logs.Records(t, "request") {
		if line["path"] == at.Path {
			traces = append(traces, fmt.Sprint("http://jaeger.example:16686/trace/", line["trace_id"]))
		}
	}
	if want := []string{first, links["its trace in Jaeger"]}; !slices.Equal(traces, want) {
		t.Errorf("access lines lead to %v, the panel to %v", traces, want)
	}
}

// TestAtlasKeys: all of it can be had from the keyboard.
func TestAtlasKeys(t *testing.T) {
	t.Parallel()
	a := visit(t, start(t, nil).url, browser.Desk)
	a.drawn()
	const onMap = `document.activeElement.id === 'map'`
	a.do(chromedp.Focus(chromedp.CSS("#map")), chromedp.KeyEvent(kb.Enter))
	a.until(`!document.querySelector('#panel').hidden && document.activeElement.matches('#panel h2')`)
	if got, want := a.text("#panel h2"), a.tileInMiddle(); got != want {
		t.Errorf("Enter tells of %s, in the middle is %s", got, want)
	}
	if links := a.links(); len(links) > 0 {
		t.Errorf("links to nowhere: %v", links)
	}
	a.do(chromedp.KeyEvent(kb.Escape))
	a.until(`document.querySelector('#panel').hidden && ` + onMap)

	address := func() (zoom, re, im float64) {
		var err error
		if _, err = fmt.Sscanf(eval[string](a, `location.hash`), "#%g/%g/%g", &zoom, &re, &im); err != nil {
			t.Error(err)
		}
		return zoom, re, im
	}
	a.do(chromedp.KeyEvent("=")) // plus without shift, which is for three levels at once
	a.until(`location.hash.startsWith('#3/')`)
	a.drawn()
	_, re, im := address()
	a.do(chromedp.KeyEvent(kb.ArrowRight))
	a.until(`Number(location.hash.split('/')[1]) > %g`, re)
	a.do(chromedp.KeyEvent(kb.ArrowDown))
	a.until(`Number(location.hash.split('/')[2]) < %g`, im)
	a.drawn()
	a.do(chromedp.KeyEvent("-"))
	a.until(`location.hash.startsWith('#2/')`)
	a.drawn()
}

// TestAtlasStampede: one load answers all, here and in the log.
func TestAtlasStampede(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_LOG_HITS": "all"})
	a := visit(t, p.url, browser.Desk)
	a.trouble = true // 429 is one, for the console
	a.drawn()
	// The second click comes with the first one's answer.
	eval[chromedp.Void](a, `(() => {
		const button = document.querySelector('#stampede'), panel = document.querySelector('#panel');
		window.heads = [];
		new MutationObserver(() => {
			heads.push(panel.innerText);
			setTimeout(() => button.click());
		}).observe(panel, {childList: true});
		button.click();
	})()`)
	a.until(`heads.length >= 2`)
	first, second := eval[string](a, `heads[0]`), eval[string](a, `heads[1]`)
	if !strings.Contains(first, "1 load answered all 200") {
		t.Errorf("the panel says %q", first)
	}
	if !strings.Contains(second, "too near") {
		t.Errorf("after a second click the panel says %q", second)
	}
	path := tilePath.FindString(first)
	a.leave()
	p.stop(t)
	outcomes := map[any]int{}
	for _, line := range p.logs.Records(t, "request") {
		if line["path"] == path {
			outcomes[line["outcome"]]++
		}
	}
	if outcomes["miss"] != 1 || outcomes["coalesced"] == 0 || outcomes["coalesced"]+outcomes["hit"] != crowd-1 {
		t.Errorf("access lines of %s: %v, want one miss, and %d in all", path, outcomes, crowd)
	}
}
