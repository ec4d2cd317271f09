package main

import (
	"math"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"vitrine/e2e/browser"
)

// TestAtlasFirstView: whatever the size of the window, the set fills it.
func TestAtlasFirstView(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for _, test := range []struct {
		name string
		size browser.Size
		zoom string
	}{{"atlas", browser.Desk, "2"}, {"atlas-phone", browser.Phone, "2"}, {"atlas-4k", browser.Wall, "3"}} {
		a := visit(t, p.url, test.size)
		a.drawn()
		if got := a.tileInMiddle(); got[:len("/tiles/2/")] != "/tiles/"+test.zoom+"/" {
			t.Errorf("%s: in the middle is %s, want level %s", test.name, got, test.zoom)
		}
		if wide := eval[int](a, `document.documentElement.scrollWidth`); wide > int(test.size.Width) {
			t.Errorf("%s: %d pixels wide in a window of %d", test.name, wide, test.size.Width)
		}
		a.picture(test.name)
	}
}

// TestAtlasDeepLink: the address leads to a place, also one that is typed while the page is open.
func TestAtlasDeepLink(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	const re, im = -0.7436, 0.1318
	a := visit(t, p.url+"/#12/-0.7436/0.1318", browser.Desk)
	a.drawn()
	across := math.Exp2(12) / mapSide
	want := tile{12, int((re - mapLeft) * across), int((mapTop - im) * across)}
	if got := a.tileInMiddle(); got != "/tiles/"+want.String() {
		t.Errorf("in the middle is %s, want %s", got, want)
	}
	eval[chromedp.Void](a, `void (location.hash = '#4/0.25/0')`)
	a.drawn()
	// 0.25 + 0i is a corner of four tiles: any may be in the middle.
	if got := a.tileInMiddle(); got != "/tiles/4/13/8" && got != "/tiles/4/13/7" {
		t.Errorf("in the middle is %s", got)
	}
	for _, nowhere := range []string{"#4/0.25", "#x/y/z", "#4//", "#99/9999/-9999", "#-1/0/0"} {
		eval[chromedp.Void](a, `void (location.hash = %q)`, nowhere)
		a.until(`location.hash.match(/^#\d+\/-?[\d.]+\/-?[\d.]+$/) && location.hash !== %q`, nowhere)
	}
}

// TestAtlasMotion: nothing moves by itself for those who do not want it.
func TestAtlasMotion(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for preference, moves := range map[string]bool{"reduce": false, "no-preference": true} {
		a := visit(t, p.url, browser.Desk, "prefers-reduced-motion", preference)
		a.drawn()
		eval[chromedp.Void](a, `(() => {
			window.transitions = 0;
			for (const kind of ['transitionrun', 'animationstart']) document.addEventListener(kind, () => transitions++, true);
			window.steps = 0;
			const pane = document.querySelector('.leaflet-map-pane');
			new MutationObserver(() => steps++).observe(pane, {attributeFilter: ['style']});
			document.querySelector('.tile').classList.add('read');
		})()`)
		a.do(chromedp.Focus(chromedp.CSS("#map")), chromedp.KeyEvent(kb.ArrowRight))
		a.until(`location.hash !== ''`)
		steps := eval[int](a, `steps`)
		a.do(chromedp.KeyEvent("="))
		a.until(`location.hash.startsWith('#3/')`)
		a.drawn()
		if transitions := eval[int](a, `transitions`); transitions > 0 != moves || steps > 1 != moves {
			t.Errorf("%s: %d transitions, the map moved in %d steps", preference, transitions, steps)
		}
	}
}

// TestAtlasHover: a label that was read is shown again to who points at its tile.
func TestAtlasHover(t *testing.T) {
	t.Parallel()
	a := visit(t, start(t, nil).url, browser.Desk, "prefers-reduced-motion", "reduce")
	a.drawn()
	at := a.tileInView()
	eval[chromedp.Void](a, `document.querySelectorAll('.tile').forEach(tile => tile.classList.add('read'))`)
	const opacity = `getComputedStyle(document.querySelector('[data-path="%s"] .label')).opacity === '%d'`
	a.until(opacity, at.Path, 0)
	a.do(chromedp.MouseEvent("mouseMoved", at.X, at.Y))
	a.until(opacity, at.Path, 1)
	a.do(chromedp.MouseEvent("mouseMoved", 0, 0))
	a.until(opacity, at.Path, 0)
	a.do(chromedp.Click(chromedp.CSS("#legend summary")), chromedp.Click(chromedp.CSS("#keep")))
	a.until(opacity, at.Path, 1)
}
