package main

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"vitrine/e2e/browser"
)

// status answers in a program's place.
func status(code int, retryAfter string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
		return true
	}
}

func breakOff(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }

// TestAtlasTrouble: the page says what is wrong, and all is well by itself when it is over.
func TestAtlasTrouble(t *testing.T) {
	t.Parallel()
	f := newFront(t, start(t, nil))
	a := visit(t, f.URL, browser.Desk)
	a.trouble = true
	a.drawn()
	for _, test := range []struct {
		desc        string
		instead     func(http.ResponseWriter, *http.Request) bool
		words, tile string
	}{
		{"overload", status(http.StatusServiceUnavailable, "1"), "The server has too much to do (503).", "failed: 503"},
		{"no replica", status(http.StatusBadGateway, ""), "The load balancer finds no replica (502).", "failed: 502"},
		{"a failure", status(http.StatusInternalServerError, ""), "The server failed (500).", "failed: 500"},
		{"nobody there", breakOff, "The server does not answer.", "no answer"},
	} {
		f.answer(test.instead)
		a.do(chromedp.Click(chromedp.CSS("#again")))
		a.until(`document.querySelector('#trouble').innerText.startsWith(%q) && [...document.querySelectorAll('.tile .label b')].every(b => b.textContent === %q)`, test.words, test.tile)
		if test.tile == "no answer" {
			a.picture("atlas-trouble")
		}
		f.answer(nil)
		a.until(`document.querySelector('#trouble').hidden && [...document.querySelectorAll('.tile')].every(tile => ['hit', 'stale'].includes(tile.dataset.outcome))`)
		a.drawn()
	}
}

// TestAtlasTroubleFirst: so it is where trouble came before the page had a tile.
func TestAtlasTroubleFirst(t *testing.T) {
	t.Parallel()
	f := newFront(t, start(t, nil))
	f.answer(func(w http.ResponseWriter, r *http.Request) bool {
		return tilePath.MatchString(r.URL.Path) && status(http.StatusServiceUnavailable, "1")(w, r)
	})
	a := visit(t, f.URL, browser.Phone)
	a.trouble = true
	a.until(`document.querySelector('#trouble').innerText.startsWith('The server has too much to do (503).')`)
	f.answer(nil)
	a.until(`document.querySelector('#trouble').hidden`)
	a.drawn()
}

// TestAtlasImpatience: who asks again before the first answers came sees the second ones.
func TestAtlasImpatience(t *testing.T) {
	t.Parallel()
	f := newFront(t, start(t, nil))
	held := make(chan struct{})
	f.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if tilePath.MatchString(r.URL.Path) {
			<-held
		}
		return false
	})
	a := visit(t, f.URL, browser.Phone)
	a.until(`document.querySelector('.tile')`)
	a.do(chromedp.Click(chromedp.CSS("#again")))
	close(held)
	a.drawn()
}

// TestAtlasAskAgain: the panel waits for its own tile's answer, whatever others are answered meanwhile.
func TestAtlasAskAgain(t *testing.T) {
	t.Parallel()
	f := newFront(t, start(t, nil))
	a := visit(t, f.URL, browser.Phone)
	a.drawn()
	at := a.tileInView()
	a.do(chromedp.MouseClickXY(at.X, at.Y))
	a.until(`document.querySelector('#panel .swatch')?.innerText === 'miss'`)
	held := make(chan struct{})
	f.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == at.Path {
			<-held
		}
		return false
	})
	a.do(chromedp.Click(chromedp.CSS("#panel button:not(.close)")), chromedp.Click(chromedp.CSS("#again")))
	a.until(`[...document.querySelectorAll('.tile')].every(({dataset}) => dataset.outcome === (dataset.path === %q ? 'miss' : 'hit'))`, at.Path)
	close(held)
	a.until(`document.querySelector('#panel .swatch')?.innerText === 'hit near'`)
}
