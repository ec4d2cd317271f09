package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"vitrine/e2e/browser"
	"vitrine/e2e/component"
)

// atlas is the page in a browser of its own.
type atlas struct {
	*testing.T
	ctx     context.Context // chromedp's
	url     string
	console iter.Seq2[chromedp.ConsoleMessage, error]
	trouble bool // failed requests are what the test is about
}

// visit opens the page at url in a window of that size, whose user prefers what media says: features and their values in
// turn. Whatever the console complains of until the end of the test is an error.
func visit(t *testing.T, url string, size browser.Size, media ...string) *atlas {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*patience)
	t.Cleanup(cancel)
	ctx, shut := browser.Open(ctx, component.Command(t, "chromium"), size)
	t.Cleanup(shut)
	a := &atlas{T: t, ctx: ctx, url: url, console: chromedp.Console(ctx)}
	t.Cleanup(a.heedConsole)
	a.do(chromedp.EmulateViewport(size.Width, size.Height), browser.Prefer(media...), chromedp.Navigate(url))
	return a
}

// heedConsole reads what the console has so far: errors and exceptions, requests that failed, what the page's policy forbade.
func (a *atlas) heedConsole() {
	const end = "so far"
	eval[chromedp.Void](a, `console.log(%q)`, end)
	for m, err := range a.console {
		switch {
		case err != nil:
			a.Errorf("the console ended: %v", err)
			return
		case m.Text == end:
			return
		case strings.Contains(m.Text, "net::ERR_NETWORK_CHANGED"):
			// Chromium gives up its connections where the machine gets another network, as Docker makes them; the page asks again.
		case m.IsException(), m.Type == chromedp.ConsoleError && (m.Source != "network" || !a.trouble), m.Type == chromedp.ConsoleWarning:
			a.Errorf("the console says %s %s, of %s:%d", m.Source, m, m.URL, m.Line)
		}
	}
}

func (a *atlas) do(actions ...chromedp.Action[chromedp.Void]) {
	a.Helper()
	if err := chromedp.Do(a.ctx, actions...); err != nil {
		a.Fatal(err)
	}
}

// eval is what a script of the page's would get. args are put into it as %q and the like: Go's quotes are JavaScript's, for
// what is in use here.
func eval[T any](a *atlas, script string, args ...any) T {
	a.Helper()
	got, err := chromedp.Run(a.ctx, chromedp.Evaluate[T](fmt.Sprintf(script, args...), chromedp.EvalAwaitPromise))
	if err != nil {
		a.Fatalf("%.200s: %v", script, err)
	}
	return got
}

// until waits for the page to be so.
func (a *atlas) until(condition string, args ...any) {
	a.Helper()
	condition = fmt.Sprintf(condition, args...)
	poll := chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience))
	if _, err := chromedp.Run(a.ctx, poll); err != nil {
		a.Fatalf("never came: %s: %v; the page says\n%s\ntiles\n%s", condition, err,
			eval[string](a, `document.body.innerText`), eval[string](a, `[...document.querySelectorAll('.tile')].map(tile => tile.outerHTML).join('\n')`))
	}
}

// shown is true of a tile that has a picture for all to see.
const shown = `(tile => tile?.matches('.leaflet-tile-loaded') && ['', '1'].includes(tile.style.opacity) && tile.querySelector('img')?.naturalWidth === 256)`

// drawn waits until each tile in view has a picture, at the level that the address names.
func (a *atlas) drawn() {
	a.Helper()
	a.until(`(() => {
		const map = document.querySelector('#map').getBoundingClientRect(), some = document.querySelector('.tile');
		if (!some) return false;
		const [, , z, x, y] = some.dataset.path.split('/').map(Number), box = some.getBoundingClientRect();
		if (location.hash && location.hash.slice(1).split('/')[0] !== String(z)) return false;
		const left = box.left - 256 * x, top = box.top - 256 * y, within = n => Math.min(Math.max(n, 0), 2 ** z);
		for (let i = within(Math.floor((map.left - left) / 256)); i < within(Math.ceil((map.right - left) / 256)); i++)
			for (let j = within(Math.floor((map.top - top) / 256)); j < within(Math.ceil((map.bottom - top) / 256)); j++)
				if (!%s(document.querySelector('[data-path="/tiles/' + [z, i, j].join('/') + '"]'))) return false;
		return true;
	})()`, shown)
}

// leave goes away from the page, which would complain about a program that stops.
func (a *atlas) leave() {
	a.Helper()
	a.do(chromedp.Navigate("about:blank"))
}

// text is what an element says.
func (a *atlas) text(selector string) string {
	a.Helper()
	return eval[string](a, `document.querySelector(%q).innerText`, selector)
}

// pictures is where pictures of the page are kept: VITRINE_PICTURES, read before TestMain hides it; or nowhere.
var pictures = os.Getenv("VITRINE_PICTURES")

// picture keeps one.
func (a *atlas) picture(name string) {
	a.Helper()
	if pictures == "" {
		return
	}
	if err := browser.Picture(a.ctx, filepath.Join(pictures, name+".png")); err != nil {
		a.Error(err)
	}
}
